# train: all seeds of a batch in one process; state of unfinished runs lies beside the outputs
for batch in PLAN.batches:

    rule:
        name:
            batch.rule("train")
        input:
            splits=expand(
                "results/splits/{{scenario}}/seed{seed}.json", seed=batch.in_paths
            ),
            data=PLAN.data_inputs,
            backbone=PLAN.backbone_inputs,
        output:
            expand(
                "results/runs/{{scenario}}/{{method}}/seed{seed}/{file}",
                seed=batch.in_paths,
                file=["run.json", "predictions.npz"],
            ),
        log:
            f"results/logs/train/{{scenario}}/{{method}}/{batch.name}.log",
        benchmark:
            f"results/logs/train/{{scenario}}/{{method}}/{batch.name}.tsv"
        # Before evaluation: short jobs at the end keep all cores busy beside the last long one
        priority: 1
        conda:
            "../../environment.yml"
        threads: PLAN.threads
        resources:
            mem_mb=PLAN.mem_mb,
            runtime=PLAN.runtime_minutes(batch),
            gpu=PLAN.gpus,
            gres=PLAN.gres,
        params:
            spec=PLAN.train_spec,
            seeds=batch.of,
        shell:
            # How often state is saved changes no number, so it is no param.
            f"recollect train --spec {{params.spec:q}} --seeds {{params.seeds}} --save-every {PLAN.save_every_s} "
            "> {log} 2>&1"
