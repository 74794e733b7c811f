// A program of somebody else's: three functions deep, then a system call that the test stops at. Its frames are chained by
// RBP, and its symbol table is all that says what is where.
static long call(long number, long a, long b, long c) {
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
    return result;
}
__attribute__((noinline)) long innermost(long depth) { return call(39, depth, 0, 0) + depth; } // getpid
__attribute__((noinline)) long middle_one(long depth) { return innermost(depth + 1) + 1; }
__attribute__((noinline)) long outermost(long depth) { return middle_one(depth + 1) * 3; }
__attribute__((used)) static const char filler[3 << 20] = {1}; // the symbol table lies behind two levels of indirect blocks
void _start(void) {
    __asm__ volatile("xor %ebp, %ebp");
    outermost(filler[0]);
    call(60, 0, 0, 0);
    __builtin_unreachable();
}
