// The parsed form of an expression; private to emu/debugger/expression*.cpp.
#pragma once
#include <memory>
#include <vector>
#include "emu/debugger/expression.h"

namespace vitrine::emu {

struct Expression::Node {
    enum class Kind : u8 {
        Number,   ///< `value`
        Text,     ///< `text`; only a child of Equal and NotEqual beside a TaskText
        Symbol,   ///< `value` = link address; `text` its name
        Register, ///< `value` = a RegisterName, `size` bytes from bit `shift`
        Machine,  ///< `value` = a MachineName
        Hit,      ///< `value` = a HitName
        Task,     ///< `value` = a TaskField
        TaskText, ///< task.comm
        Memory,   ///< [child 0], `size` bytes, `physical`
        Unary,    ///< `operation`: - ! ~
        Signed,   ///< signed(child 0): makes the comparison above it a signed one
        Binary,   ///< `operation`
    };
    enum class Operation : u8 {
        Or,
        And,
        BitOr,
        BitXor,
        BitAnd,
        Equal,
        NotEqual,
        Less,
        LessEqual,
        Greater,
        GreaterEqual,
        ShiftLeft,
        ShiftRight,
        Add,
        Subtract,
        Multiply,
        Divide,
        Modulo,
        Negate,
        Not,
        Complement,
    };
    enum RegisterName : u8 {
        Gpr0 = 0,
        Rip = 16,
        Rflags,
        Cr0,
        Cr2,
        Cr3,
        Cr4,
        Dr0,
        Selector0 = 40,
        FsBase = 50,
        GsBase
    };
    enum MachineName : u8 { Cpu, Cpl, Step, Time };
    enum HitName : u8 { Address, Value, Old, Vector, Error, Number_, Size, Write, Hits };
    enum TaskField : u8 { TaskAddress, Pid, Tgid, State, TaskCpu };

    Kind kind{};
    Operation operation{};
    u8 size = 8, shift = 0;
    bool physical = false;
    u64 value = 0;
    std::size_t column = 0; ///< where it stands, from 1; only for names of the hit
    std::string text;
    std::vector<std::unique_ptr<Node>> children;
};

} // namespace vitrine::emu
