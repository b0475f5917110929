# Two commands do everything: `make demo` and `make test`. Both install first.
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
SOW := $(BIN)/sow

.PHONY: demo test lint clean

# Strict mode lets mypy and editors see the mapped folders; a new file is linked by installing again,
# which a change of its folder brings about.
SOURCES := sow planners prompts cli benchmarks
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check \
  --config-settings editable_mode=strict

$(VENV)/.installed: pyproject.toml $(SOURCES)
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
	  --prompt "a person in a red coat in the forest" --draw demo/drawn-plan.png --force \
	  > demo/drawn-plan.json
	$(SOW) generate --model figures --face examples/astronaut.jpg \
	  --prompt "an old person" --seed 1 --out demo/photograph.png --force
	$(SOW) plan --model figures --face examples/astronaut.jpg \
	  --prompt "an old person" --draw demo/photograph-plan.png --force \
	  > demo/photograph-plan.json
	@echo "Look at the pictures in demo/: drawn.png, photograph.png and their plans."

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf $(VENV) demo build dist *.egg-info
