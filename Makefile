# `make demo` draws examples and `make test` runs the tests. Both install first.
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
SOW := $(BIN)/sow

.PHONY: demo studio test fuzz test-floors lint docs gallery studio-pictures clean

INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) -e .
	touch $@

$(VENV)/.installed-dev: pyproject.toml $(VENV)/.installed
	$(INSTALL) -e '.[dev]'
	touch $@

demo: $(VENV)/.installed
	mkdir -p demo
	$(SOW) generate --model figures --face examples/drawn-beard.png \
	  --prompt "a person in a red coat in the forest" --seed 1 \
	  --save-cycles demo/drawn-cycles.png --out demo/drawn.png --force
	$(SOW) plan --model figures --face examples/drawn-beard.png \
	  --prompt "a person in a red coat in the forest" --draw demo/drawn-plan.png \
	  --out demo/drawn-plan.json --force
	$(SOW) generate --model figures --face examples/astronaut.jpg \
	  --prompt "a person wearing a blue suit in the city" --seed 1 --out demo/photograph.png --force
	$(SOW) plan --model figures --face examples/astronaut.jpg \
	  --prompt "a person wearing a blue suit in the city" --draw demo/photograph-plan.png \
	  --out demo/photograph-plan.json --force
	@echo "Look at the pictures in demo/: drawn.png, photograph.png and their plans."

$(VENV)/.installed-studio: pyproject.toml $(VENV)/.installed
	$(INSTALL) -e '.[studio]'
	touch $@

# The page, with an example loaded.
studio: $(VENV)/.installed-studio
	$(SOW) studio --model figures --face examples/drawn-beard.png --prompt "a man in a red coat" --open

# A test that failed beside others gets a second try alone: what fails on a busy machine only is told
# from what is wrong. Its first failure stays in the log.
AGAIN = echo "Once more, alone: what failed." && \
  $(BIN)/python -m pytest --last-failed --last-failed-no-failures none

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n auto --maxprocesses 8 --dist loadfile --no-loadscope-reorder \
	  --durations 30 || { test $$? -eq 1 && $(AGAIN); }

# More of the tests' hostile input, with a new seed: make fuzz COUNT=20000 SEED=7
COUNT ?= 5000
SEED ?= $(shell date +%s)
fuzz: $(VENV)/.installed-dev
	FUZZ_COUNT=$(COUNT) FUZZ_SEED=$(SEED) $(BIN)/python -m pytest tests/fuzz --timeout 0 --durations 0

# Tries the lowest versions that pyproject.toml allows, in their own environment.
# floors.txt is written only if everything passed. One thread each, as with `make test`: tests compare
# pictures of processes that would have different numbers of them.
FLOORS ?= build/floors
FLOORS_SOW = HF_HUB_OFFLINE=1 $(FLOORS)/bin/sow
FLOORS_FACE := --planner offline --face examples/drawn-beard.png --prompt "a man in a red coat"
test-floors:
	$(PYTHON) -m venv --clear $(FLOORS)
	$(FLOORS)/bin/python tests/floors.py > $(FLOORS)/floors.txt
	$(FLOORS)/bin/python -m pip install --quiet --disable-pip-version-check \
	  --constraint $(FLOORS)/floors.txt -e '.[dev]'
	$(FLOORS_SOW) generate --help > $(FLOORS)/help.txt
	$(FLOORS_SOW) generate --model figures $(FLOORS_FACE) --seed 1 --out $(FLOORS)/first.png
	$(FLOORS_SOW) generate --recipe $(FLOORS)/first.png --out $(FLOORS)/again.png
	cmp $(FLOORS)/first.png $(FLOORS)/again.png
	$(FLOORS_SOW) show $(FLOORS)/first.png
	$(FLOORS_SOW) plan --model figures $(FLOORS_FACE) --draw $(FLOORS)/plan.png \
	  --out $(FLOORS)/plan.json
	OMP_NUM_THREADS=1 $(FLOORS)/bin/python -m pytest -n 2 --dist loadfile tests/test_floors.py \
	  tests/test_recipe.py tests/planners tests/pictures tests/batch tests/models/test_checkpoints.py \
	  tests/studio/test_page.py tests/studio/test_api.py \
	  tests/models/test_models.py::test_a_single_file_draws_what_the_folder_draws \
	  --deselect tests/test_floors.py::test_the_declared_floors_are_those_that_were_run
	cp $(FLOORS)/floors.txt floors.txt

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(VENV)/.installed-dev
	$(BIN)/python docs/generate.py

# Makes the pictures of docs/gallery.md with the commands on that page. Run it when `figures` changes.
gallery: $(VENV)/.installed-dev
	$(BIN)/python tests/gallery.py

# Makes the pictures of docs/studio.md by driving the page. It needs chromium.
studio-pictures: $(VENV)/.installed-dev
	$(BIN)/python tests/studio_pictures.py

clean:
	rm -rf $(VENV) demo build dist *.egg-info
