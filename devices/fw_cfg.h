// fw_cfg — the firmware configuration device: numbered items and named files from the board to firmware and
// kernel.
//
// Ports: 510h selector (16 bit), 511h data, 514h–51Bh DMA address (big-endian, high half first). Implements:
// QEMU's fw_cfg interface specification (docs/specs/fw_cfg): signature, id 3 (traditional + DMA), file
// directory at selector 19h with files from 20h on, sorted by name.
//
// Invariants: items are configuration — the same in every run, kept by reset, not serialized; only the
// selector, the offset and the DMA address are state. Items are read-only: writes through DMA report an
// error.
#pragma once
#include <map>
#include "devices/chip.h"

namespace vitrine::devices {

class FwCfg final : public Chip, public PortDevice {
public:
    explicit FwCfg(DmaPort& memory);

    void add_item(u16 selector, std::vector<u8> bytes);
    void add_item_u16(u16 selector, u16 value);
    void add_item_u32(u16 selector, u32 value);
    void add_item_u64(u16 selector, u64 value);
    /// REQUIRES: name shorter than 56 characters. Selectors follow the order of names.
    void add_file(const std::string& name, std::vector<u8> bytes);

    const char* name() const override { return "fw_cfg"; }
    void reset() override;
    void serialize(Archive& archive) override;
    std::vector<Field> describe() const override;
    u32 port_read(u16 port, unsigned size) override;
    void port_write(u16 port, unsigned size, u32 value) override;

private:
    const std::vector<u8>* item(u16 selector) const;
    void rebuild_directory();
    u8 next_byte();
    void run_dma();

    DmaPort& memory_;
    std::map<u16, std::vector<u8>> items_;
    std::map<std::string, std::vector<u8>> files_;
    std::vector<const std::vector<u8>*> file_items_; ///< files_ by selector − 20h
    u16 selector_ = 0;
    u32 offset_ = 0;
    u64 dma_address_ = 0;
};

} // namespace vitrine::devices
