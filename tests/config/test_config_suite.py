"""A suite is checked as a whole: names, splits, hyper-parameters by layer, tables; and what ships resolves."""

import json
import subprocess
import sys
from collections import Counter
from types import SimpleNamespace

import pytest

from recollect.config import suite as suite_module
from recollect.config.schema import read_yaml
from recollect.config.suite import METHODS_FILE, Suite
from recollect.errors import RecollectError
from recollect.layout import ROOT
from recollect.plan import Plan
from recollect.plan import declared as plan_module

DEFAULT = ROOT / "config" / "default.yaml"
SUITES = sorted((ROOT / "config" / "suites").glob("*.yaml"))


def refused(call, *args, **kwargs):
    with pytest.raises(RecollectError) as error:
        call(*args, **kwargs)
    text = str(error.value)
    assert "\n" not in text
    return text


# Names ------------------------------------------------------------------------------------------------


def test_unknown_method(load):
    text = refused(load, methods=["naive", "ewcc"])
    assert text.startswith("unknown method 'ewcc' in ")
    assert "changes.yaml: did you mean 'ewc'? allowed: " in text
    assert text.endswith("entries stand in config/methods.yaml")


def test_unknown_scenario(load):
    text = refused(load, scenarios=["split_digit"])
    assert text.startswith("unknown scenario 'split_digit' in ")
    assert "changes.yaml: did you mean 'split_digits'? allowed: " in text


def test_value_that_no_file_sets_came_from_the_command_line():
    config = read_yaml(DEFAULT)
    text = refused(Suite.load, {**config, "methods": [*config["methods"], "zzzzz"]}, [DEFAULT])
    assert text.startswith("unknown method 'zzzzz' in --config on the command line: allowed: ")


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"metrics": ["avg_acc_unweigted"]}, "tables[0].metrics has 'avg_acc_unweigted' in "),
        ({"methods": ["ewv"]}, "tables[0].methods has 'ewv' in "),
        ({"scenarios": ["split_mnist"]}, "tables[0].scenarios has 'split_mnist' in "),
        ({"reference": "niave"}, "tables[0].reference is 'niave' in "),
        ({"reference": "ewc", "methods": ["naive"]}, "tables[0].reference is 'ewc' in "),
    ],
)
def test_tables_name_only_what_the_suite_runs(load, table, says):
    text = refused(load, tables=[{"id": "t", "title": "T", "metrics": ["bwt"], **table}])
    assert text.startswith(says)
    assert "changes.yaml: " in text
    assert "allowed: " in text


def test_two_tables_may_not_share_their_files(load):
    table = {"id": "t", "title": "T", "metrics": ["bwt"]}
    assert "tables[1].id = 't' in " in refused(load, tables=[table, table])
    assert len(load(tables=[table, {**table, "id": "u"}]).tables()) == 2


def test_table_is_completed_from_the_suite(load):
    suite = load(methods=["naive", "derpp"], tables=[{"id": "t", "title": "T", "metrics": ["bwt"]}])
    assert suite.tables() == [
        {
            "id": "t", "title": "T", "metrics": ["bwt"], "reference": None, "note": "",
            "scenarios": ["split_digits"], "methods": ["naive", "derpp"],
            "labels": {"naive": "Naive", "derpp": "DER++"},
        }
    ]  # fmt: skip


# Scenarios --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scenario", "says"),
    [
        ({"n_task": 5}, "unknown key 'little.n_task' in "),
        (
            {"alpha": 1.0},
            "key 'alpha' means nothing to protocol class-incremental of scenario little in config/sc",
        ),
        ({"protocol": "class-incrementl"}, "did you mean 'class-incremental'?"),
        (
            {"datasets": ["digit"]},
            "unknown data set 'digit' in scenario little in config/scenarios.yaml: did you me",
        ),
        ({"datasets": []}, "little.datasets in "),
        ({"n_tasks": True}, "little.n_tasks = True in "),
        ({"n_tasks": 5.0}, "little.n_tasks = 5.0 in "),
        ({"n_tasks": "5"}, "must be of type integer"),
        ({"n_tasks": 0}, "little.n_tasks in "),
        ({"n_tasks": 11}, "scenario little in config/scenarios.yaml: 11 tasks from 10 classes"),
        ({"n_tasks": 4}, "do not divide evenly into 4 tasks"),
        ({"class_order": [0, 0, 1, 2, 3]}, "names class 0 twice: it must name each class of 0..9 at most once"),
        ({"class_order": "permutd"}, "class_order"),
        ({"classes_per_task": [2, 2]}, "must list 5 sizes"),
        ({"first_task_classes": 8}, "5 tasks from 10 classes leave a task without classes"),
        ({"validation": 1.0}, "little.validation in "),
        ({"validation": "0.1"}, "must be of type number"),
        ({"labels": "mixed"}, "allowed: shared, disjoint"),
        (
            {"protocol": "dirichlet"},
            "alpha is missing in scenario little in config/scenarios.yaml: protocol dirichlet",
        ),
        ({"protocol": "dirichlet", "alpha": 0}, "little.alpha in "),
        ({"protocol": "dirichlet", "alpha": 1, "variant": "plane"}, "did you mean 'plain'?"),
        ({"protocol": "rotated", "max_degree": 90}, "unknown key 'little.max_degree' in "),
    ],
)
def test_wrong_scenarios(house, scenario, says):
    house.scenario |= scenario
    assert says in refused(house.load)


@pytest.mark.parametrize("key", ["datasets", "protocol", "n_tasks"])
def test_scenario_without_what_it_needs(house, key):
    del house.scenario[key]
    text = refused(house.load)
    assert key in text
    assert "is missing" in text
    assert "scenarios.yaml" in text


def test_shared_labels_are_counted_once(house):
    house.entry["datasets"]["mnist"] = {"lr": 0.1, "lam": 1.0, "source": "here"}
    house.scenario |= {"datasets": ["digits", "mnist"], "n_tasks": 20}
    assert house.load().scenario("little")["n_tasks"] == 20
    house.scenario["labels"] = "shared"
    assert "20 tasks from 10 classes" in refused(house.load)
    house.scenario["n_tasks"] = 10
    assert house.load().scenario("little")["n_tasks"] == 10


# Hyper-parameters -------------------------------------------------------------------------------------


def test_layers_from_weak_to_strong(house):
    house.build = "def build(*, setting: Setting, a: int = 0, b: int = 0, c: int = 0, d: int = 0, e: int = 0): ..."
    house.entry = {
        "defaults": {"a": 1, "b": 1, "c": 1, "d": 1, "lr": 0.1, "source": "s"},
        "datasets": {
            "digits": {"b": 2, "c": 2, "d": 2, "source": "s"},
            "mnist": {"d": 9, "width": 9, "source": "s"},
        },
        "scenarios": {"little": {"c": 3, "d": 3, "epochs": 3, "source": "s"}},
    }
    method = house.load(overrides={"toy": {"d": 4}}).method("toy", "little")
    assert method["hyper"] == {"a": 1, "b": 2, "c": 3, "d": 4, "e": 0}
    assert (method["train"]["lr"], method["train"]["epochs"], method["train"]["width"]) == (0.1, 3, 400)
    assert "source" not in method["hyper"]


def test_later_data_set_wins_and_overrides_reach_training_settings(house):
    house.scenario |= {"datasets": ["digits", "mnist"]}
    house.entry["datasets"]["mnist"] = {"lam": 2.0, "source": "here"}
    method = house.load(overrides={"toy": {"lr": 0.5, "iterations": None}}).method("toy", "little")
    assert (method["hyper"]["lam"], method["train"]["lr"], method["train"]["iterations"]) == (2.0, 0.5, None)


@pytest.mark.parametrize(
    ("override", "says"),
    [
        (
            {"lamm": 1},
            "unknown hyper-parameter 'lamm' of method toy in overrides.toy in FILE: did you mean 'lam'?",
        ),
        (
            {"epoch": 1},
            "unknown hyper-parameter 'epoch' of method toy in overrides.toy in FILE: did you mean 'epochs'?",
        ),
        ({"n": True}, "hyper-parameter n = True of method toy in overrides.toy in FILE must be int"),
        ({"n": 1.0}, "hyper-parameter n = 1.0 of method toy in overrides.toy in FILE must be int"),
        ({"n": None}, "hyper-parameter n = None of method toy in overrides.toy in FILE must be int"),
        ({"lam": "1e-3"}, "hyper-parameter lam = '1e-3' of method toy in overrides.toy in FILE must be float"),
        ({"lam": float("nan")}, "hyper-parameter lam = nan of method toy in overrides.toy in FILE must be float"),
        (
            {"optimizer": "adamw"},
            "hyper-parameter optimizer = 'adamw' of method toy in overrides.toy in FILE must be L",
        ),
        ({"width": "100"}, "hyper-parameter width = '100' of method toy in overrides.toy in FILE must be int"),
    ],
)
def test_wrong_overrides(house, override, says):
    before, after = says.split("FILE")
    text = refused(house.load, overrides={"toy": override})
    assert text.startswith(before)
    assert "suite.yaml" + after in text


def test_wrong_hyper_parameters_of_an_entry_name_the_layer(house):
    house.entry["datasets"]["digits"]["lamb"] = 1
    assert "of method toy in config/methods.yaml (datasets.digits): did you mean 'lam'?" in refused(house.load)


def test_missing_hyper_parameter(house):
    del house.entry["datasets"]["digits"]["lam"]
    assert refused(house.load) == "method toy needs a value for lam in config/methods.yaml"
    assert house.load(overrides={"toy": {"lam": 2}}).method("toy", "little")["hyper"]["lam"] == 2.0


def test_override_of_an_unknown_method(house):
    text = refused(house.load, overrides={"tou": {"lam": 1}})
    assert text.startswith("overrides.tou in ")
    assert "suite.yaml: did you mean 'toy'?" in text


@pytest.mark.parametrize(
    ("layer", "key", "hint"),
    [("datasets", "digts", "did you mean 'digits'?"), ("scenarios", "litle", "did you mean 'little'?")],
)
def test_misspelt_layer_is_not_passed_over(house, layer, key, hint):
    house.entry[layer] = {**house.entry.get(layer, {}), key: {"lam": 5.0, "source": "here"}}
    text = refused(house.load)
    assert text.startswith(f"unknown key 'toy.{layer}.{key}' in config/methods.yaml: {hint}")


def test_layer_without_a_source(house):
    del house.entry["datasets"]["digits"]["source"]
    assert "'source' is missing under toy.datasets.digits in " in refused(house.load)


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ({"data_sets": {}}, "unknown key 'toy.data_sets' in "),
        ({"label": 3}, "toy.label = 3 in "),
        ({"datasets": {"digits": None}}, "toy.datasets.digits = None in "),
        (
            {"file": "toyy"},
            "needs exactly one file methods/toyy.py or baselines/toyy.py, found 0: did you mean 'toy'?",
        ),
    ],
)
def test_wrong_entries(house, entry, says):
    house.entry |= entry
    assert says in refused(house.load)


def test_method_in_both_folders(house):
    (house.root / "baselines" / "toy.py").write_text("")
    assert "needs exactly one file methods/toy.py or baselines/toy.py, found 2" in refused(house.load)


def test_two_entries_may_share_a_file(house):
    house.methods["toy_two"] = {**house.entry, "file": "toy", "label": "Toy II"}
    suite = house.load(methods=["toy", "toy_two"])
    assert suite.method("toy_two", "little")["file"] == "toy"
    assert (suite.label("toy"), suite.label("toy_two")) == ("toy", "Toy II")


def test_build_with_positional_arguments(house):
    house.build = "def build(setting, lam: float): ..."
    assert "build must take keyword-only arguments" in refused(house.load)


# One hash for one meaning -----------------------------------------------------------------------------

CELL = SimpleNamespace(scenario="split_digits", method="ewc")


def spec(load, lam, **changes):
    return Plan(
        load(overrides={"ewc": {"lam": lam}}, methods=["ewc", "naive"], tables=[TABLE], **changes)
    ).train_spec(CELL)


TABLE = {"id": "t", "title": "T", "metrics": ["bwt"]}


def test_integer_and_float_of_one_value_are_one_specification(load):
    assert spec(load, 10) == spec(load, 10.0)
    assert json.loads(spec(load, 10))["method"]["hyper"]["lam"] == 10.0
    assert spec(load, 10) != spec(load, 10.5)


def test_optional_float_too(house):
    house.build = "def build(*, setting: Setting, decay: float | None = None): ..."
    house.entry = {"datasets": {"digits": {"lr": 1, "source": "here"}}}
    found = [house.load(overrides={"toy": {"decay": v}}).method("toy", "little") for v in (1, 1.0, None)]
    assert json.dumps(found[0]) == json.dumps(found[1])
    assert found[2]["hyper"]["decay"] is None
    assert type(found[0]["train"]["lr"]) is float


def test_specification_ignores_what_cannot_change_a_number(load):
    here = spec(load, 1.0)
    assert here == spec(load, 1.0, seeds_per_job=1, mem_mb=999, checkpoint_minutes=1, confidence=0.9, seeds=[4])
    assert here != spec(load, 1.0, threads_per_job=2)


# Data folder ------------------------------------------------------------------------------------------


def test_data_dir_precedence(load, monkeypatch):
    monkeypatch.setenv("RECOLLECT_DATA", "/from/environment")
    assert load(data_dir="/from/config").data_dir == "/from/config"
    assert load().data_dir == "/from/environment"
    assert load(data_dir=None).data_dir == "/from/environment"
    monkeypatch.setenv("RECOLLECT_DATA", "")
    assert load().data_dir == "data"
    monkeypatch.delenv("RECOLLECT_DATA")
    assert load().data_dir == "data"


@pytest.mark.parametrize("folder", ["data", "with space", 'it\'s $HOME `here` "now"'])
def test_data_dir_survives_the_shell(load, folder):
    argument = Plan(load(data_dir=folder)).data_dir_argument
    shown = subprocess.run(["sh", "-c", f"printf %s\\\\n {argument}"], capture_output=True, text=True, check=True)
    assert shown.stdout.splitlines() == ["--data-dir", folder]
    assert Plan(load(data_dir=folder, offline=True)).data_dir_argument == argument + " --offline"


# The plan ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "names"), [(2, ["seeds0-2", "seed9"]), (5, ["seeds0-9"])])
def test_batches_of_seeds(load, size, names):
    plan = Plan(load(seeds=[0, 2, 9], seeds_per_job=size))
    assert [batch.name for batch in plan.batches] == names
    assert [batch.rule("train") for batch in plan.batches] == [f"train_{name}" for name in names]
    assert [seed for batch in plan.batches for seed in batch.of(CELL)] == plan.seeds == [0, 2, 9]


def test_one_rule_makes_all_jobs_of_one_seed(load):
    """Snakemake compares every file with every rule: with one for each seed, planning is quadratic in seeds."""
    (batch,) = Plan(load(seeds=list(range(500)), seeds_per_job=1)).batches
    assert (batch.name, batch.in_paths, batch.rule("train")) == ("seed{seed}", ("{seed}",), "train")
    assert batch.of(SimpleNamespace(seed="7")) == (7,)


def test_settings_code_and_data_are_looked_up_once_for_all_seeds(load, monkeypatch):
    """What a rule asks for every job is answered from memory: the work does not grow with the seeds."""
    found: Counter[str] = Counter()

    def counted(module, name):
        original = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *a, **k: (found.update([name]), original(*a, **k))[1])

    counted(suite_module, "check_values")
    counted(suite_module, "origin")
    counted(suite_module, "build_parameters")
    counted(plan_module, "fingerprint")
    counted(plan_module, "estimate")
    counted(Suite, "scenario")

    def work(n_seeds):
        changes = {"methods": ["naive", "ewc"], "seeds": list(range(n_seeds)), "seeds_per_job": 1}
        plan = Plan(load(**changes, overrides={"ewc": {"epochs": 1}}))
        minutes = plan.runtime_minutes(plan.batches[0])
        found.clear()
        for method in ("naive", "ewc"):
            for _ in range(n_seeds):
                job = SimpleNamespace(scenario="split_digits", method=method)
                plan.train_spec(job), plan.scenario_argument(job)
                plan.data_inputs(job), plan.backbone_inputs(job), minutes(job, 1)
        return dict(found)

    few = work(2)
    assert (few["fingerprint"], few["estimate"], few["scenario"]) == (2, 2, 1)
    assert few["check_values"] > 0
    assert work(50) == few


def test_seeds_of_a_command_line_are_numbers(load):
    """Snakemake reads ``--config 'seeds=[0, 12]'`` as a list of texts."""
    assert load(seeds=["0", "12"]).seeds == [0, 12]


def test_targets_of_a_suite(load):
    plan = Plan(load(methods=["naive", "ewc"], seeds=[0, 3], tables=[TABLE]))
    assert plan.collect_inputs == [
        "results/metrics/split_digits/naive.json",
        "results/metrics/split_digits/ewc.json",
    ]
    assert plan.evaluate_inputs(CELL) == [
        f"results/runs/split_digits/ewc/seed{seed}/{name}"
        for seed in (0, 3)
        for name in ("run.json", "predictions.npz")
    ]
    assert plan.evaluate_splits(CELL) == [f"results/splits/split_digits/seed{seed}.json" for seed in (0, 3)]
    assert plan.data_inputs(CELL) == ["results/data/digits/dataset.json"]
    assert {path.rsplit(".", 1)[1] for path in plan.table_files} >= {"csv", "md", "tex", "html"}
    assert all(path.startswith("results/tables/digits/t.") for path in plan.table_files)


def test_null_is_the_default_where_there_is_one(load):
    plan = Plan(load(offline=None, mem_mb=None))
    assert [plan.mem_mb(None, attempt) for attempt in (1, 2, 3)] == [4000, 8000, 16000]
    assert "--offline" not in plan.data_dir_argument


def test_a_job_that_is_tried_again_asks_for_twice_the_time(load):
    """Training of backbones, and all that asks for the profile's time; for other training see test_estimates."""
    plan = Plan(load())
    assert [plan.pretrain_minutes(None, attempt) for attempt in (1, 2, 3)] == [240, 480, 960]
    others = read_yaml(ROOT / "profiles/slurm/config.yaml")["default-resources"]["runtime"]
    assert [eval(others, {"attempt": attempt}) for attempt in (1, 2, 3)] == [30, 60, 120]


def test_what_a_job_asks_of_gpus(load):
    """A whole card, or a part or type of one, never both; how many runs share one is told to the jobs."""
    assert (Plan(load()).gpus, Plan(load()).gres) == (0, "")
    assert (Plan(load(gpus_per_job=1)).gpus, Plan(load(gpus_per_job=1)).gres) == (1, "")
    part = Plan(load(gpus_per_job=1, gres_per_job="shard:2"))
    assert (part.gpus, part.gres) == (0, "shard:2")
    assert Plan(load(gpu_slots=3)).gpu_environment == "RECOLLECT_GPU_SLOTS=3 RECOLLECT_GPU_MEM_MB=0"
    for gres in ("mps:25", "gpu:1g.10gb:1", "gpu:a100:1", "gpu"):
        assert Plan(load(gres_per_job=gres)).gres == gres
    with pytest.raises(RecollectError, match="gres_per_job"):
        load(gres_per_job="gpu 1; rm")


def test_planning_imports_nothing_heavy():
    code = (
        "import sys, yaml; from recollect.plan import Plan; from types import SimpleNamespace as N;"
        "c = yaml.safe_load(open('config/default.yaml')); p = Plan.from_config(c, ['config/default.yaml']);"
        "p.train_spec(N(scenario='split_digits', method='ewc')); p.table_files; p.figure_files;"
        "heavy = {'torch', 'avalanche', 'mlflow', 'matplotlib', 'pandas', 'sklearn'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


# What ships -------------------------------------------------------------------------------------------

ENTRIES = read_yaml(METHODS_FILE)
SCENARIOS = read_yaml(suite_module.SCENARIOS_FILE)


def cells():
    for method, entry in ENTRIES.items():
        for scenario, declared in SCENARIOS.items():
            if set(declared["datasets"]) <= set(entry.get("datasets", {})) or scenario in entry.get(
                "scenarios", {}
            ):
                yield method, scenario


def test_every_entry_resolves_on_every_scenario_of_its_data_sets():
    suite = Suite(read_yaml(DEFAULT), (DEFAULT,))
    resolved = {cell: suite.method(*cell) for cell in cells()}
    assert {method for method, _ in resolved} == set(ENTRIES)
    assert all(found["id"] == method for (method, _), found in resolved.items())


def test_every_scenario_is_possible():
    suite = Suite(read_yaml(DEFAULT), (DEFAULT,))
    assert all(suite.scenario(name)["id"] == name for name in SCENARIOS)


def test_every_layer_has_a_source():
    layers = [
        (name, key, layer)
        for name, entry in ENTRIES.items()
        for key, layer in [
            ("defaults", entry.get("defaults", {"source": "none"})),
            *entry.get("datasets", {}).items(),
            *entry.get("scenarios", {}).items(),
        ]
    ]
    assert len(layers) > 40
    assert [f"{name}.{key}" for name, key, layer in layers if not str(layer.get("source", "")).strip()] == []


@pytest.mark.parametrize("path", SUITES, ids=lambda path: path.stem)
def test_shipped_suites_load(path):
    suite = Suite.load({**read_yaml(DEFAULT), **read_yaml(path)}, [DEFAULT, path])
    assert suite.name == path.stem
    assert suite.tables()


def test_default_suite_loads():
    assert Suite.load(read_yaml(DEFAULT), [DEFAULT]).name == "digits"
    assert SUITES
