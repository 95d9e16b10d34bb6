# Two commands matter: `make compare` and `make test`. Each sets up .venv first, once.
# On Linux without a GPU: `make compare TORCH=cpu` installs the CPU build of torch into .venv.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
SET ?=
TORCH ?=

# The plain torch of Linux brings gigabytes of CUDA libraries. The CPU build has the same number with
# a suffix (2.13.0+cpu), fits the same constraint and wins over the plain one.
CPU_WHEELS := --extra-index-url https://download.pytorch.org/whl/cpu
WHEELS := $(if $(filter cpu,$(TORCH)),$(CPU_WHEELS),$(if $(TORCH),$(error TORCH=$(TORCH): use TORCH=cpu or leave it out)))

# Dependencies of universal-portfolios exclude pandas 3, and only its files are needed.
PORTFOLIOS := universal-portfolios==0.4.17

.PHONY: compare quick noise truth study panels ui test torch slow long fuzz replay faults audit-deps check bench bench-truth clean

compare: $(READY)  ## the main job on the bundled real panel; SET="training.epochs=5" changes settings
	$(BIN)/foldproof compare conf/sp500.yaml $(SET)

quick noise truth: $(READY)  ## the smaller presets
	$(BIN)/foldproof compare conf/$@.yaml $(SET)

study: $(READY)  ## the study on several panels, hours; SET='seeds=[0,1]' runs a part, later runs go on
	$(BIN)/foldproof compare conf/study.yaml $(SET)

panels: $(READY)  ## panels of other packages, which are read where they lie: conf/README.md
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[panels]'
	$(BIN)/python -m pip install --quiet --no-deps --upgrade --target .foldproof/sources $(PORTFOLIOS)
	command -v dpkg-deb >/dev/null || { echo "no Debian: set data.path to stockdata.rda of R's huge"; exit 1; }
	cd .foldproof/sources && apt-get download r-cran-huge && \
	  dpkg-deb --extract r-cran-huge_*.deb huge && rm r-cran-huge_*.deb

ui: $(READY)  ## the MLflow UI on 127.0.0.1:5000
	$(BIN)/foldproof ui

test: $(READY)  ## the tests that take minutes
	$(BIN)/python -m pytest -m "not slow and not long" -n auto --dist loadfile

torch: $(READY)  ## tests of networks and training on torch alone, as where no C compiler is
	ATEN_CPU_CAPABILITY=default $(BIN)/python -m pytest -m "not slow and not long" tests/models tests/tasks/train

slow: $(READY)  ## the long ones
	$(BIN)/python -m pytest -m 'slow and not long' -n auto --dist worksteal

long: $(READY)  ## real servers (PostgreSQL, serve, models over HTTP), a fresh environment, simulations
	$(BIN)/python -m pytest -m long

fuzz: $(READY)  ## random inputs at every door; FUZZ=20000 draws more of each kind
	OMP_NUM_THREADS=1 FOLDPROOF_FUZZ=$(or $(FUZZ),2500) $(BIN)/python -m pytest -n auto tests/fuzz \
	  tests/tasks/test_encoded.py tests/tasks/test_markdown.py tests/tasks/track/test_entries.py

replay: $(READY)  ## two years of nights in fast motion, half an hour
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.benchmarks.replay

audit-deps: $(READY)  ## known vulnerabilities of the pinned packages; asks pypi.org about each
	$(BIN)/python -m pip_audit --requirement constraints.txt --no-deps --disable-pip

faults: $(READY)  ## kill, lock, fill and double a tiny experiment at random moments, hours
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.faults --grounds 2 --kills 20 --outages 20 --disks 20 --pairs 20

check: $(READY)  ## lint, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	mkdir -p .venv/typed/foldproof && ln -sfn $(addprefix $(CURDIR)/,flows tasks models conf) .venv/typed/foldproof/
	$(BIN)/mypy

bench: $(READY)  ## speed and memory against plain alternatives, in the same run
	$(BIN)/python -m tests.benchmarks

bench-truth: $(READY)  ## attributions against the truth: white boxes, planted panels
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.benchmarks.bench_truth

$(READY): pyproject.toml setup.py models/native/lstm.c constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(WHEELS) --constraint constraints.txt --editable '.[dev]'
	touch $(READY)

clean:
	rm -rf .venv .foldproof *.egg-info .pytest_cache .mypy_cache .ruff_cache
