"""What `python book/build.py` is made of: what is out of date, running chapters ahead, Sphinx, EPUB and PDF.

Importing it keeps jsonschema from loading rfc3987_syntax, which compiles 38 grammars (2.5 s) for a format of
addresses that no schema here uses; jsonschema does without it where it is not installed.
"""

import sys

sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]  # an import of it fails at once
