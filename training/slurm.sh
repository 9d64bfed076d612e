#!/bin/bash
# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
# A run on many nodes under SLURM: sbatch --nodes 4 training/slurm.sh -c training/student_kd.yaml
# Five minutes before its time is over SLURM sends SIGTERM; the run saves its state, ends with 75 and is queued again.
#SBATCH --job-name=lircdepth
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=8
#SBATCH --gpus-per-node=8
#SBATCH --cpus-per-task=8
#SBATCH --time=08:00:00
#SBATCH --requeue
#SBATCH --signal=TERM@300
#SBATCH --open-mode=append

srun lircdepth train fit "$@" --ckpt_path resume --trainer.strategy ddp \
    --trainer.num_nodes "$SLURM_NNODES" --trainer.devices "${SLURM_NTASKS_PER_NODE%%(*}"
status=$?
[ $status -eq 75 ] && scontrol requeue "$SLURM_JOB_ID"
exit $status
