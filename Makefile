# The course from a clean checkout. Two commands matter: `make course` and `make test`.
# Another interpreter:  make course PYTHON=python3.12
# Everything made lands in .venv, _build, dist and the generated parts of assignments; `make clean` removes the rest.

PYTHON ?= python3
IN = .venv/bin/python
PYTEST_ARGS ?=

# Idle workers of torch sleep instead of spinning; nothing calls out; grading and tests find the same models each time.
export OMP_WAIT_POLICY = PASSIVE
export HF_HUB_OFFLINE = 1
export HF_HUB_DISABLE_TELEMETRY = 1
export DO_NOT_TRACK = 1
export TOKENIZERS_PARALLELISM = false
export PYTHONUTF8 = 1

.DEFAULT_GOAL := help
.PHONY: help env course book formats release class test scaffolds student results models freeze clean

help:            ## This list
	@echo "The course in two commands: make course, make test. All of them:"
	@sed -n 's/^\([a-z]*\):[^#]*## *\(.*\)/  make \1@\2/p' Makefile | tr '@' '\t' | expand -t 18

env:             ## Create .venv from the pins; does nothing when they have not changed
	@"$(PYTHON)" tools/env.py

course: env      ## The book, the released labs, and a sample class graded by nbgrader
	@$(IN) tools/steps.py course

test: env        ## The whole pytest suite (PYTEST_ARGS="tests/checks -x" for a part)
	@OMP_NUM_THREADS=1 $(IN) -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

book: env        ## Only the book, into _build/html (python book/build.py --help has more)
	@$(IN) tools/steps.py book

formats: env     ## The book as EPUB and PDF too, linked at the foot of its pages (needs Chromium)
	@$(IN) tools/steps.py formats

release: env     ## Only what students receive for each lab
	@$(IN) tools/steps.py release

class: env       ## Only the sample class (with the releases it needs)
	@$(IN) tools/steps.py class

scaffolds: env   ## Regenerate the modules students fill in from solutions/
	@$(IN) tools/steps.py scaffolds

student: env     ## The wheel and the zips for students, scanned for solutions
	@$(IN) tools/steps.py release student

results: env     ## Measure again what the book quotes, into results/
	@$(IN) tools/results.py

models: env      ## Train the shipped models again from their generated text (long)
	@$(IN) -m llmlab.models.train

freeze: env      ## Rewrite constraints.txt from .venv, after moving a pin
	@$(IN) tools/freeze.py > constraints.new && mv constraints.new constraints.txt

clean:           ## Remove what the other targets made, except .venv
	rm -rf _build dist build
