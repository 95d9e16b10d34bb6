"""A torch forecaster for ``foldproof audit``, which tests its network the way it scores."""

import pandas as pd
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm, self.norm = nn.LSTM(1, 16, batch_first=True), nn.BatchNorm1d(16)
        self.out = nn.Linear(16, 1)

    def forward(self, windows):  # (samples, days, 1)
        return self.out(self.norm(self.lstm(windows)[0][:, -1])).squeeze(-1)


def fit(windows, labels):
    torch.manual_seed(0)
    net = Net()
    optimizer = torch.optim.Adam(net.parameters(), 0.01)
    for _ in range(3):
        for batch in torch.randperm(len(windows)).split(256):
            optimizer.zero_grad()
            nn.functional.mse_loss(net(windows[batch]), labels[batch]).backward()
            optimizer.step()
    return net.eval()  # `return net` is a leak: LEAK at stage network


def forecast(data, fold, trace):
    rows = data.set_index(["date", "symbol"]).sort_index()
    daily = rows["close"].groupby(level=1).pct_change()
    lags = {f"lag_{k}": daily.groupby(level=1).shift(k) for k in reversed(range(10))}
    x = trace("features", pd.DataFrame(lags))
    y = trace("target", rows[["label", "known"]])
    whole, dates = x.notna().all(axis=1), x.index.get_level_values(0)
    learn = trace("folds", x.index[dates.isin(fold.train_dates) & whole & y["label"].notna()])
    test = x.index[dates.isin(fold.test_dates) & whole]

    def windows(samples):
        return torch.tensor(x.loc[samples].to_numpy()).float().unsqueeze(-1)

    labels = torch.tensor(y.loc[learn, "label"].to_numpy()).float()
    net = trace.train(lambda: fit(windows(learn), labels))
    days = torch.tensor((test.get_level_values(0) - pd.Timestamp(0)).days)
    trace.network(net, windows(test), days)
    with torch.no_grad():
        return pd.Series(net(windows(test)).numpy(), index=test)
