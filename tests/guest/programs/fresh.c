// Without a library: the vector registers at a program's first instruction. Exit status 0: all zero, MXCSR and the x87 control word as
// after a reset by the kernel; else which differs.
#include <cpuid.h>

__attribute__((used)) static unsigned long space[16][4] __attribute__((aligned(32)));

__attribute__((used)) static int check(void) {
    for (int i = 0; i < 16; i++)
        for (int lane = 0; lane < 4; lane++)
            if (space[i][lane]) return 1 + i;
    unsigned mxcsr;
    unsigned short control;
    __asm__("stmxcsr %0\n fnstcw %1" : "=m"(mxcsr), "=m"(control));
    return mxcsr != 0x1f80 ? 20 : control != 0x37f ? 21 : 0;
}
__attribute__((used)) static int wide(void) {
    unsigned a, b, c, d;
    __cpuid(1, a, b, c, d);
    return (c >> 27 & 1) && (c >> 28 & 1);
}
#define EACH(what) what(0) what(1) what(2) what(3) what(4) what(5) what(6) what(7) what(8) what(9) what(10) what(11) what(12) what(13) what(14) what(15)
#define STOREY(n) "vmovdqa %ymm" #n ", space+32*" #n "(%rip)\n"
#define STOREX(n) "movdqa %xmm" #n ", space+32*" #n "(%rip)\n"
__asm__(".globl _start\n_start: and $-16, %rsp\n call wide\n test %eax, %eax\n jz 1f\n" EACH(STOREY) "jmp 2f\n1:" EACH(
    STOREX) "2: call check\n mov %eax, %edi\n mov $231, %eax\n syscall\n");
