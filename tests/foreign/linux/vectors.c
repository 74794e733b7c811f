/* Four processes compute with AVX2 and FMA for many time slices, with values live in all sixteen YMM registers, while a
 * timer's signal handler overwrites them: what one process sees depends on the kernel's XSAVE and XRSTOR of the others.
 * Prints one line that is a pure function of this program, so that any processor's answer is the oracle. */
#include <immintrin.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum { Processes = 4, Rounds = 400000 };
static volatile sig_atomic_t signals;
static int32_t table[256];

static void overwrite(int number) {
    (void)number;
    ++signals;
    __asm__ volatile("vpcmpeqd %%ymm0, %%ymm0, %%ymm0\n vpcmpeqd %%ymm7, %%ymm7, %%ymm7\n"
                     "vpcmpeqd %%ymm15, %%ymm15, %%ymm15\n vzeroupper" ::: "xmm0", "xmm7", "xmm15");
}

static uint64_t mix(uint64_t h, uint64_t v) {
    h = (h ^ v) * 0x9E3779B97F4A7C15u;
    return h ^ h >> 29;
}
static uint64_t fold(uint64_t h, __m256i v) {
    uint64_t lanes[4];
    _mm256_storeu_si256((__m256i *)lanes, v);
    for (int i = 0; i < 4; ++i) h = mix(h, lanes[i]);
    return h;
}

static uint64_t work(int process) {
    __m256i a[6];
    __m256d d[5];
    for (int i = 0; i < 6; ++i) a[i] = _mm256_set1_epi32(0x01234567 * (i + 1) + process);
    for (int i = 0; i < 5; ++i) d[i] = _mm256_set_pd(1.0 + i, 0.5 * process, -1.25 * i, 3.0);
    const __m256d factor = _mm256_set1_pd(0.99991), step = _mm256_set_pd(1e-3, 2e-3, -1e-3, 5e-4);
    for (int n = 0; n < Rounds; ++n) {
        for (int i = 0; i < 6; ++i) {
            a[i] = _mm256_add_epi32(_mm256_mullo_epi32(a[i], a[(i + 1) % 6]), _mm256_set1_epi32(n | 1));
            a[i] = _mm256_xor_si256(a[i], _mm256_srlv_epi32(a[i], _mm256_set_epi32(1, 3, 5, 7, 9, 11, 13, 15)));
        }
        for (int i = 0; i < 5; ++i) d[i] = _mm256_fmadd_pd(d[i], factor, _mm256_mul_pd(step, d[(i + 1) % 5]));
        a[n % 6] = _mm256_permute4x64_epi64(a[n % 6], 0x39);
        a[0] = _mm256_xor_si256(
            a[0], _mm256_i32gather_epi32(table, _mm256_and_si256(a[1], _mm256_set1_epi32(255)), 4));
    }
    uint64_t h = 0;
    for (int i = 0; i < 6; ++i) h = fold(h, a[i]);
    for (int i = 0; i < 5; ++i) h = fold(h, _mm256_castpd_si256(d[i]));
    return h;
}

int main(void) {
    for (int i = 0; i < 256; ++i) table[i] = (int32_t)((uint32_t)i * 0x01000193u ^ 0x5bd1e995u);
    int pipes[Processes][2];
    for (int p = 0; p < Processes; ++p) {
        if (pipe(pipes[p]) != 0) return 1;
        if (fork() == 0) {
            struct sigaction action = {.sa_handler = overwrite};
            sigaction(SIGALRM, &action, 0);
            const struct itimerval every = {{0, 1000}, {0, 1000}};
            setitimer(ITIMER_REAL, &every, 0);
            uint64_t answer[2] = {work(p), 0};
            answer[1] = signals > 3; /* else the handler proves nothing */
            const struct itimerval never = {{0, 0}, {0, 0}};
            setitimer(ITIMER_REAL, &never, 0);
            _exit(write(pipes[p][1], answer, sizeof answer) != sizeof answer);
        }
    }
    uint64_t h = 0, interrupted = 0;
    for (int p = 0; p < Processes; ++p) {
        uint64_t answer[2];
        if (read(pipes[p][0], answer, sizeof answer) != sizeof answer) return 1;
        h = mix(h, answer[0]), interrupted += answer[1];
    }
    while (wait(0) > 0) {}
    printf("vectors %016llx interrupted %llu\n", (unsigned long long)h, (unsigned long long)interrupted);
    return 0;
}
