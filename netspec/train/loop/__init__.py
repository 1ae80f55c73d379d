"""The parts of a training run: its state, its steps, the selection of weights and the record of losses."""
