# extractor: weights of a feature extractor, found in data_dir, downloaded or trained, are verified
rule extractor:
    input:
        PLAN.extractor_inputs,
    output:
        info="results/extractors/{extractor}/extractor.json",
        weights="results/extractors/{extractor}/weights.safetensors",
    log:
        "results/logs/extractor/{extractor}.log",
    localrule: True
    conda:
        "../../environment.yml"
    params:
        code=PLAN.step_code("extractor"),
    shell:
        # Where the files lie changes no number, so it is no param.
        f"recollect extractor {{wildcards.extractor}} {PLAN.data_dir_argument} 2> >(tee {{log}} >&2)"
