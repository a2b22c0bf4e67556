# Conveniences only: nothing in README or CI needs `just`.

# All that CI does.
check:
    bash .ci/run

test:
    cargo test --workspace

demo *args:
    cargo run --release --bin phonehome-demo -- {{args}}

# One fuzz target, 60 s: just fuzz tls
fuzz target seconds="60":
    cd tests && RUSTC_BOOTSTRAP=1 cargo fuzz run {{target}} -- -max_total_time={{seconds}}

# What the agent costs, beside its limits: just bench, or just bench inspect, just bench memory.
bench *parts:
    cargo bench -p phonehome-tests -- {{parts}}

# Seeded worlds in bad weather: just storm 10000.
storm count="1000":
    cargo run --release -p phonehome-tests --bin storm -- {{count}}

# Rewrites the golden files and shows what changed.
golden:
    UPDATE_GOLDEN=1 cargo test --workspace
    git diff --stat -- '*golden*' docs/map.svg
