# OpenWrt's package.mk, played: the package's definitions become targets.
RUST_ARCH_DEPENDS:=@(aarch64||mipsel)

define BuildPackage
value-%:
	@echo $$($$*)
show-conffiles: export TEXT:=$$(Package/$(1)/conffiles)
show-conffiles:
	@echo "$$$$TEXT"
install-to:
$(call Package/$(1)/install,$$(ROOT))
endef
