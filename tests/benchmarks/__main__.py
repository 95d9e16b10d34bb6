"""``make bench``: every speed benchmark, one after the other."""

from tests.benchmarks import (
    bench_append,
    bench_attribution,
    bench_audit,
    bench_comparison,
    bench_training,
)

bench_training.main()
bench_comparison.main()
bench_attribution.main()
bench_audit.main()
bench_append.main()
