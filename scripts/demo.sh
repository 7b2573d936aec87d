#!/usr/bin/env bash
# From nothing to an evaluated model on phantoms, in minutes on two cores. Everything it writes lies below ./demo.
# Runs again where it was interrupted; remove ./demo to start anew. PATIENTS and EPOCHS shorten it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bash scripts/setup.sh

demo=demo
out=$demo/outputs
python=.venv/bin/python
patients="${PATIENTS:-300}"
export MPLBACKEND=Agg
mkdir -p "$demo"
touch "$demo/seconds.tsv"

step() {
  local name="$1" start=$SECONDS
  shift
  echo
  echo "== $name"
  "$@"
  printf '%s\t%d\n' "$name" $((SECONDS - start)) >> "$demo/seconds.tsv"
  echo "== $name: $((SECONDS - start)) s"
}

bundle() {
  local run_id="$1" configs="$2"
  shift 2
  "$python" -m monai.bundle run "$run_id" --config_file "$configs" "$@"
}

recipe="'configs/recipes/demo.yaml'"
training="['configs/train.json',$recipe]"
evaluation="['configs/train.json',$recipe,'configs/evaluate.json']"
inference="['configs/inference.json',$recipe]"
cohort=(--dataset_dir "$demo/data" --output_dir "$out")
epochs=(${EPOCHS:+--epochs "$EPOCHS"})
# 45 subjects need no more.
scores=(--latent_scores#trees 10)

evaluate_validation() {
  bundle evaluating "$evaluation" "${cohort[@]}" "${scores[@]}" --evaluate_split validation --shown_subjects 1
  # The test split's evaluation takes the same folder next.
  rm -rf "$out/evaluation_validation"
  mv "$out/evaluation" "$out/evaluation_validation"
}

infer_unseen() {
  "$python" -m semivae_bundle phantom --output_dir "$demo/unseen" --n 1 --size 48 --spacing 5 --contrast standard --seed 1
  bundle evaluating "$inference" --dataset_dir "$demo/unseen" --output_dir "$out/inference" --overwrite true \
    --checkpoint "$out/checkpoints/model.pt" --normalizer_file "$out/normalizer.json"
}

step phantoms "$python" -m semivae_bundle phantom --output_dir "$demo/data" --n "$patients" --size 48 --spacing 5 --contrast standard \
  --seed 0
step index bundle index "$training" "${cohort[@]}"
step precompute bundle precompute "$training" "${cohort[@]}"
step training bundle training "$training" "${cohort[@]}" ${epochs[@]+"${epochs[@]}"}
step "evaluating, validation" evaluate_validation
step "evaluating, test" bundle evaluating "$evaluation" "${cohort[@]}" "${scores[@]}"
step "inference, unseen" infer_unseen

"$python" scripts/demo_table.py "$demo"
if [ -n "${PATIENTS:-}${EPOCHS:-}" ]; then
  echo "PATIENTS or EPOCHS was set: these figures show that it runs, and nothing else"
fi
