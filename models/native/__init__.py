"""The compiled LSTM that replaces torch.nn.LSTM on the CPU where a C compiler built it."""
