"""What is checked: one module (or package) per scaffold, with the same name.

A check is data and two pure functions: `cases(seed)` gives inputs with expected values from an independent oracle,
`judge(case, outputs, events)` gives a verdict. Nothing here runs a student's code: `llmlab.harness` does.
"""
