"""Attribution of a forecast beyond normalized windows: to raw rows and to daily returns."""
