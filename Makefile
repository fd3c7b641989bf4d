# `make` lists the targets. Settings are variables: make train EPOCHS=5 DATA=flowers RUN=runs/flowers

PYTHON ?= python3
VENV   := .venv$(if $(OLDEST),-oldest)
# What it was made with goes on holding: `make train` after `make setup GPU=1` installs nothing.
GPU    ?= $(if $(wildcard $(VENV)/setup-*-gpu*),1)
LOCKED ?= $(if $(wildcard $(VENV)/setup-*-locked),1)
BIN    := $(VENV)/bin
comma  := ,
# What training, prediction and the page need; `make setup`, and what tests, adds the rest.
LIGHT  := litert,openvino,heic,report,serve,completion,yaml$(if $(GPU),$(comma)gpu)
ALL    := $(LIGHT),dev,onnx,parquet,ray,s3,gs,hf,kaggle,tfds
LIMITS := $(if $(OLDEST),constraints-oldest.txt,$(if $(LOCKED),constraints.txt))
MADE   := $(if $(GPU),-gpu)$(if $(LOCKED),-locked)
SETUP  := $(VENV)/setup-done$(MADE)
# Where all is installed, the light one is too.
START  := $(or $(wildcard $(SETUP)),$(VENV)/setup-light$(MADE))

RUN  ?= train_alexnet
PORT ?= 9090
HOST ?= localhost

# Options of train_alexnet.py; `python train_alexnet.py --help` explains each. As variables they have
# capitals: BATCH_SIZE=64. What is left empty takes the script's own default.
OPTIONS_OF_TRAINING := data from-run leave-out label split weights variant resize scale train head head-rate initial \
  activation dropout width units epochs batch-size learning-rate schedule warm-up decay patience decay-samples \
  fall weight-decay clip ema stop-early color-shift rotate zoom brightness contrast seed precision threads best keep \
  average log-every tensorboard features max-lost worker-timeout recipe log config
# Of these --option and --no-option: CROP=1, CROP=0.
SWITCHES := lrn overlap decoupled balance crop calibrate report
# MIRROR=0 is a setting; beside a goal that fetches files MIRROR is the place to look first.
ifeq ($(filter weights data,$(MAKECMDGOALS)),)
  SWITCHES += mirror
endif

capitals = $(subst -,_,$(shell echo '$(1)' | tr a-z A-Z))
near     = $(shell $(PYTHON) -c 'import difflib, sys; \
  print(*difflib.get_close_matches(sys.argv[1], sys.argv[2:], 1))' $(1) $(2))
CAPITALS := $(call capitals,$(OPTIONS_OF_TRAINING) $(SWITCHES))

# The variables that each target heeds.
ALL_HEED       := PYTHON GPU LOCKED OLDEST VENV BIN
weights_HEEDS  := WEIGHTS TO FROM MIRROR
data_HEEDS     := DATA SEED FROM MIRROR
train_HEEDS    := $(CAPITALS) RUN OPTIONS
tensorboard_HEEDS := RUN PORT HOST
serve_HEEDS    := RUN PORT HOST WEIGHTS VARIANT
test_HEEDS     := TESTS
test-deploy_HEEDS := OF
chaos_HEEDS    := ROUNDS SEED
fuzz_HEEDS     := INPUTS SEED OF
mutants_HEEDS  := OF MUTANTS SEED TESTS
bench_HEEDS    := ROWS PHOTOS WEIGHTS VARIANT ROUNDS OUT
doctor_HEEDS   := RUN

HEEDED  := $(ALL_HEED) $(foreach goal,$(or $(MAKECMDGOALS),help),$($(goal)_HEEDS))
TYPED   := $(foreach name,$(.VARIABLES),$(if $(findstring command line,$(origin $(name))),$(name)))
UNKNOWN := $(filter-out $(HEEDED) -%,$(TYPED))
ifneq ($(UNKNOWN),)
  NEAR := $(call near,$(call capitals,$(firstword $(UNKNOWN))),$(HEEDED))
  $(error $(UNKNOWN): `make $(MAKECMDGOALS)` heeds no variable of this name; $(if $(NEAR),did you \
    mean $(NEAR)?,it heeds $(sort $(HEEDED))))
endif

# 'The value' of a variable, whatever spaces, quotes or dollars are in it; --option 'value' of one that
# is not empty; --option or --no-option.
quoted = '$(subst ','\'',$(value $(1)))'
option = $(if $(value $(2)),--$(1) $(call quoted,$(2)))
switch = $(if $(value $(2)),$(or \
  $(if $(filter 1 yes true,$(value $(2))),--$(1)), \
  $(if $(filter 0 no false,$(value $(2))),--no-$(1)), \
  $(error $(2)=$(value $(2)): should be 1 or 0)))
each   = $(foreach name,$(2),$(call $(1),$(name),$(call capitals,$(name))))

# Where files are fetched from instead of their publishers, and a folder or URL that comes first.
PLACES = $(call each,option,from mirror)

TARGETS := help setup demo weights data train tensorboard serve test test-deploy chaos fuzz mutants bench \
  doctor audit lock lint clean
.PHONY: $(TARGETS)

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' Makefile

setup: $(SETUP) ## install everything into .venv (GPU=1: with CUDA; LOCKED=1: constraints.txt)

$(sort $(SETUP) $(START)): pyproject.toml $(LIMITS)
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2> /dev/null || \
	  { echo "$(PYTHON) is $$($(PYTHON) --version 2> /dev/null || echo no Python that starts here); " \
	    "alexnet_tf needs 3.11, 3.12 or 3.13. Name one: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; \
	    exit 2; }
	@echo "Making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV)
	@echo "Installing TensorFlow and what else is needed: some minutes," \
	  "$(if $(filter $(SETUP),$@),3.9,2.8) GB on the disk"
	@$(BIN)/python -m pip install --disable-pip-version-check \
	  --editable .[$(if $(filter $(SETUP),$@),$(ALL),$(LIGHT))] \
	  $(if $(LIMITS),--constraint $(LIMITS))
	@touch $@

demo: $(START) ## the whole job on drawn cats and dogs, without any download
	@$(BIN)/python -m alexnet_tf demo

weights: $(START) ## fetch and check the pretrained weights (WEIGHTS=NAME TO=FILE FROM MIRROR)
	@$(BIN)/python -m alexnet_tf weights $(if $(WEIGHTS),$(call quoted,WEIGHTS)) \
	  $(call option,to,TO) $(PLACES)

data: $(START) ## fetch, list and split the photos (DATA=FOLDER_OR_ZIP SEED FROM MIRROR)
	@$(BIN)/python -m alexnet_tf data $(if $(DATA),$(call quoted,DATA)) $(call option,seed,SEED) $(PLACES)

train: $(START) ## train, or resume training (DATA RUN WEIGHTS VARIANT EPOCHS … every setting)
	@$(BIN)/python train_alexnet.py $(call option,run,RUN) \
	  $(call each,option,$(OPTIONS_OF_TRAINING)) $(call each,switch,$(SWITCHES)) $(OPTIONS)

tensorboard: $(START) ## show RUN, or all runs below it, on http://localhost:9090 (PORT HOST)
	@$(BIN)/python -m alexnet_tf tensorboard $(call quoted,RUN) $(call each,option,host port)

serve: $(START) ## predict with networks, and train some, on http://localhost:8080 (RUN PORT HOST WEIGHTS VARIANT)
	@$(BIN)/python -m alexnet_tf serve $(if $(filter file,$(origin RUN)),,$(call quoted,RUN)) \
	  $(call option,host,HOST) $(if $(filter file,$(origin PORT)),,$(call option,port,PORT)) \
	  $(call each,option,weights variant)

test: $(SETUP) ## run the tests (ALEXNET_TF_MATERIAL=DIR: with real photos; OLDEST=1: old packages)
	$(BIN)/python -m pytest $(or $(TESTS),-n 3 --dist loadfile)

test-deploy: ## use deploy/ with the real programs that are installed: images, nginx, Slurm … (OF=nginx)
	@deploy/test/run.sh $(OF)

chaos: $(SETUP) ## kill, stop, damage and starve trainings for some minutes (ROUNDS SEED)
	$(BIN)/python -m tests.tools.chaos $(call each,option,rounds seed)

fuzz: $(SETUP) ## read damaged weights, runs and data, OF=settings: pairs of settings (INPUTS SEED OF)
	for of in $(or $(OF),weights runs data layouts inputs); do \
	    $(BIN)/python -m tests.tools.fuzz --of $$of $(call each,option,inputs seed) || exit; done

mutants: $(SETUP) ## change a line of OF=data/sources/lists at a time: do tests see it? (OF MUTANTS SEED TESTS)
	nice $(BIN)/python -m tests.tools.mutants $(OF) $(call each,option,mutants seed) \
	  $(if $(TESTS),--tests $(TESTS))

bench: $(SETUP) ## measure beside the usual recipes (ROWS PHOTOS WEIGHTS VARIANT ROUNDS OUT)
	@$(BIN)/python -m benchmarks $(ROWS) $(call each,option,photos weights variant rounds out)

doctor: $(START) ## check this installation and, where there is one, RUN
	@if [ -d $(call quoted,RUN) ] || $(if $(filter file,$(origin RUN)),false,true); then \
	  set -- $(call quoted,RUN); fi; $(BIN)/python -m alexnet_tf doctor "$$@"

audit: $(SETUP) ## look the installed packages up in an index of security advisories
	@$(BIN)/python -m tests.tools.audit

lock: $(SETUP) ## write the newest versions that fit together into constraints.txt
	UV_CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/uv pip compile --quiet --upgrade --universal \
	  --python-version 3.11 --all-extras --no-annotate pyproject.toml --output-file constraints.txt

lint: $(SETUP) ## check the style and the types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	@command -v npm > /dev/null || { echo "No npm here: the page's scripts are not checked" >&2; exit 0; }; cd tests/js; \
	  [ -f node_modules/.package-lock.json ] || npm ci --silent --fetch-retries 0 || \
	  { echo "npm can't fetch ESLint and TypeScript: the page's scripts are not checked" >&2; exit 0; }; \
	  npm run --silent lint

clean: ## delete .venv and what the demo made, but no data, weights or runs
	rm -rf .venv .venv-oldest demo

.DEFAULT:
	@echo "make: there is no target $@$(patsubst %,; did you mean %?,$(call near,$@,$(TARGETS)))" \
	  "(\`make\` lists all)" >&2; exit 2
