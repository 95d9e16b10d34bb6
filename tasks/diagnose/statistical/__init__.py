"""Statistical leak tests, symptoms that inform only, and the price of a leak."""
