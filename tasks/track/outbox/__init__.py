"""Keep what cannot be logged, as files; send it later, once.

The functions that log write to a ``Store``. ``recording`` gives them one whose client writes its
calls to a folder: ``calls.jsonl`` with tags, metrics and parameters, ``runs/<run>`` with the
artifacts (the report page, tables), ``models/<model>`` with the models. ``send`` repeats the calls
on the real store. Runs and models have made-up ids until then; ``send`` replaces them everywhere.

Nothing is doubled: a comparison's run that is already finished in the store is not sent, an
unfinished one is replaced, and a night's values have a fixed step and time.
"""
