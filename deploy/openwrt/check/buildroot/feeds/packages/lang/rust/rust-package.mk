# The Rust feed, played: the agent is there already.
define RustBinPackage
endef
