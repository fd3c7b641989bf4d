# `make` lists the targets. Settings are variables: make train EPOCHS=5 DATA=flowers RUN=runs/flowers

PYTHON ?= python3
BIN    := .venv/bin
comma  := ,
EXTRAS := dev,litert$(if $(GPU),$(comma)gpu)
SETUP  := .venv/setup-done$(if $(GPU),-gpu)$(if $(LOCKED),-locked)

RUN  ?= train_alexnet
PORT ?= 9090
HOST ?= localhost

# What is left empty takes the script's own default; `python train_alexnet.py --help` explains each.
TRAIN_OPTIONS = --run "$(RUN)" \
  $(if $(DATA),--data "$(DATA)") \
  $(if $(WEIGHTS),--weights "$(WEIGHTS)") \
  $(if $(VARIANT),--variant "$(VARIANT)") \
  $(if $(RESIZE),--resize "$(RESIZE)") \
  $(if $(EPOCHS),--epochs "$(EPOCHS)") \
  $(if $(BATCH_SIZE),--batch-size "$(BATCH_SIZE)") \
  $(if $(LEARNING_RATE),--learning-rate "$(LEARNING_RATE)") \
  $(if $(PRECISION),--precision "$(PRECISION)") \
  $(if $(SEED),--seed "$(SEED)") \
  $(if $(KEEP),--keep "$(KEEP)") \
  $(if $(MAX_LOST),--max-lost "$(MAX_LOST)") \
  $(if $(RECIPE),--recipe "$(RECIPE)") \
  $(if $(TRAIN),--train "$(TRAIN)") \
  $(if $(FEATURES),--features "$(FEATURES)") $(OPTIONS)

# Where files are fetched from instead of their publishers, and a folder or URL that comes first.
PLACES = $(if $(FROM),--from "$(FROM)") $(if $(MIRROR),--mirror "$(MIRROR)")

.PHONY: help setup demo weights data train tensorboard test chaos fuzz bench doctor audit lock lint \
  clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' Makefile

setup: $(SETUP) ## install everything into .venv (GPU=1: with CUDA; LOCKED=1: constraints.txt)

$(SETUP): pyproject.toml $(if $(LOCKED),constraints.txt)
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --editable .[$(EXTRAS)] \
	  $(if $(LOCKED),--constraint constraints.txt)
	@touch $@

demo: $(SETUP) ## the whole job on drawn cats and dogs, without any download
	@$(BIN)/python -m alexnet_tf demo

weights: $(SETUP) ## fetch and check the pretrained weights (WEIGHTS=NAME FROM MIRROR)
	@$(BIN)/python -m alexnet_tf weights $(if $(WEIGHTS),"$(WEIGHTS)") $(PLACES)

data: $(SETUP) ## fetch, list and split the photos (DATA=FOLDER_OR_ZIP SEED FROM MIRROR)
	@$(BIN)/python -m alexnet_tf data $(if $(DATA),"$(DATA)") $(if $(SEED),--seed "$(SEED)") $(PLACES)

train: $(SETUP) ## train, or go on training (DATA RUN WEIGHTS VARIANT EPOCHS … OPTIONS)
	@$(BIN)/python train_alexnet.py $(TRAIN_OPTIONS)

tensorboard: $(SETUP) ## show the curves of RUN on http://localhost:9090 (PORT HOST)
	@$(BIN)/tensorboard --logdir "$(RUN)" --host "$(HOST)" --port "$(PORT)"

test: $(SETUP) ## run the tests (ALEXNET_TF_MATERIAL=DIR: with real photos and weights)
	$(BIN)/python -m pytest

chaos: $(SETUP) ## kill, stop, damage and starve trainings for some minutes (ROUNDS SEED)
	$(BIN)/python -m tests.tools.chaos $(if $(ROUNDS),--rounds "$(ROUNDS)") $(if $(SEED),--seed "$(SEED)")

fuzz: $(SETUP) ## read 20,000 damaged files of weights (INPUTS SEED)
	$(BIN)/python -m tests.tools.fuzz $(if $(INPUTS),--inputs "$(INPUTS)") $(if $(SEED),--seed "$(SEED)")

bench: $(SETUP) ## measure beside the usual recipes (ROWS PHOTOS WEIGHTS VARIANT ROUNDS OUT)
	@$(BIN)/python -m benchmarks $(ROWS) \
	  $(if $(PHOTOS),--photos "$(PHOTOS)") \
	  $(if $(WEIGHTS),--weights "$(WEIGHTS)") \
	  $(if $(VARIANT),--variant "$(VARIANT)") \
	  $(if $(ROUNDS),--rounds "$(ROUNDS)") \
	  $(if $(OUT),--out "$(OUT)")

doctor: $(SETUP) ## check this installation and, where there is one, RUN
	@$(BIN)/python -m alexnet_tf doctor $(if $(wildcard $(RUN)),"$(RUN)")

audit: $(SETUP) ## look the installed packages up in an index of security advisories
	@$(BIN)/python -m tests.tools.audit

lock: $(SETUP) ## write the versions of all packages in .venv into constraints.txt
	$(BIN)/python -m pip freeze --all --exclude-editable --exclude pip > constraints.txt

lint: $(SETUP) ## check the style
	$(BIN)/ruff check
	$(BIN)/ruff format --check

clean: ## delete .venv and what the demo made, but no data, weights or runs
	rm -rf .venv demo
