# pretrain: a backbone trained here, or published weights found, downloaded and verified; state lies beside the outputs
rule pretrain:
    input:
        PLAN.pretrain_inputs,
    output:
        info="results/backbones/{backbone}/backbone.json",
        weights="results/backbones/{backbone}/weights.safetensors",
    log:
        "results/logs/pretrain/{backbone}.log",
    benchmark:
        "results/logs/pretrain/{backbone}.tsv"
    priority: 2
    conda:
        "../../environment.yml"
    threads: PLAN.pretrain_threads
    resources:
        mem_mb=PLAN.mem_mb,
        runtime=PLAN.pretrain_minutes,
    params:
        pretraining=PLAN.pretraining,
    shell:
        # Where the files lie changes no number, so it is no param.
        f"recollect pretrain {{wildcards.backbone}} {PLAN.data_dir_argument} --save-every {PLAN.save_every_s} "
        "2> >(tee {log} >&2)"
