/* A plugin for QEMU's user emulation of 64-bit Arm: what a program executed between marks that it sets itself.

   A mark is the system call sched_get_priority_max(policy) with one of the policies below, which change nothing and which
   no other program asks for. At each mark, and at the end, one line of JSON goes to the file named by out=FILE: what was
   executed since the start, by kind of instruction, lines of memory that a cache of cache=KB:WAYS would have missed, and
   resident memory of the guest. Whoever reads it takes differences.

   Declares what it needs of qemu-plugin.h itself, because distributions ship the emulator without that header.
   PLUGIN_VERSION is the version of that interface which the emulator speaks: 1 in QEMU 6 to 8, up to 4 in QEMU 10.

   The counters are plain numbers: threads that run at once would lose some. What is counted runs on one thread. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t plugin_id;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id, void (*)(plugin_id, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *, void (*)(unsigned, void *), int flags, void *data);
void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *, void (*)(unsigned, uint32_t, uint64_t, void *), int flags,
                                      int which, void *data);
void qemu_plugin_register_vcpu_syscall_cb(plugin_id id,
                                          void (*)(plugin_id, unsigned, int64_t, uint64_t, uint64_t, uint64_t, uint64_t,
                                                   uint64_t, uint64_t, uint64_t, uint64_t));
void qemu_plugin_register_atexit_cb(plugin_id id, void (*)(plugin_id, void *), void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
unsigned qemu_plugin_mem_size_shift(uint32_t info);
#if PLUGIN_VERSION < 3
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *);
#else
size_t qemu_plugin_insn_data(const struct qemu_plugin_insn *, void *into, size_t size);
#endif

#define EXPORT __attribute__((visibility("default")))
#define NO_REGISTERS 0
#define READS_AND_WRITES 3
#define SCHED_GET_PRIORITY_MAX 125 /* its number on 64-bit Arm */

EXPORT int qemu_plugin_version = PLUGIN_VERSION;

/* Policies that are marks: SCHED_BATCH before a run, SCHED_IDLE after it, SCHED_DEADLINE where a stage ends. */
static const struct {
    uint64_t policy;
    const char *name;
} marks[] = {{3, "begin"}, {5, "end"}, {6, "stage"}};

enum kind { ALU, BRANCH, LOAD_STORE, VECTOR_LOAD_STORE, VECTOR, OTHER, KINDS };
static const char *const names[KINDS] = {"alu", "branch", "load_store", "vector_load_store", "vector", "other"};
static uint64_t executed[KINDS];
static FILE *out;

/* ---- Which kind an instruction is: bits 28 to 25 of its word, as the Arm manual's top table of A64 has it. */

static enum kind kind_of(uint32_t word)
{
    const unsigned op = word >> 25 & 15;
    const bool vector = word >> 26 & 1;
    if (op == 8 || op == 9) /* immediates */
        return ALU;
    if (op == 10 || op == 11) /* branches, and system instructions */
        return BRANCH;
    if ((op & 5) == 4)
        return vector ? VECTOR_LOAD_STORE : LOAD_STORE;
    if ((op & 7) == 5) /* registers */
        return ALU;
    return (op & 7) == 7 ? VECTOR : OTHER;
}

static uint32_t word_of(const struct qemu_plugin_insn *instruction)
{
    uint32_t word = 0;
#if PLUGIN_VERSION < 3
    memcpy(&word, qemu_plugin_insn_data(instruction), sizeof word);
#else
    qemu_plugin_insn_data(instruction, &word, sizeof word);
#endif
    return word;
}

/* ---- A cache of one level that forgets the line unused for longest. It follows every access from the first mark that
   begins a run; before that, what a program loads and imports would only cost time. */

#define LINE_BITS 6
static struct {
    size_t sets, ways;
    uint64_t *lines, *used; /* of each way; a line is its number + 1, 0 an empty place */
    uint64_t clock, missed;
    bool awake;
} cache;

static bool make_cache(size_t kilobytes, size_t ways)
{
    cache.ways = ways;
    cache.sets = ways ? (kilobytes << 10 >> LINE_BITS) / ways : 0;
    cache.lines = calloc(cache.sets * ways + 1, sizeof *cache.lines);
    cache.used = calloc(cache.sets * ways + 1, sizeof *cache.used);
    return cache.lines && cache.used;
}

static void touch(uint64_t line)
{
    uint64_t *const lines = cache.lines + line % cache.sets * cache.ways;
    uint64_t *const used = cache.used + line % cache.sets * cache.ways;
    size_t oldest = 0;
    for (size_t way = 0; way < cache.ways; way++) {
        if (lines[way] == line + 1) {
            used[way] = ++cache.clock;
            return;
        }
        if (used[way] < used[oldest])
            oldest = way;
    }
    lines[oldest] = line + 1;
    used[oldest] = ++cache.clock;
    cache.missed++;
}

static void accessed(unsigned cpu, uint32_t info, uint64_t address, void *data)
{
    (void)cpu, (void)data;
    if (!cache.awake)
        return;
    const uint64_t last = address + (UINT64_C(1) << qemu_plugin_mem_size_shift(info)) - 1;
    for (uint64_t line = address >> LINE_BITS; line <= last >> LINE_BITS; line++)
        touch(line);
}

/* ---- Counting: a block of instructions is looked at once, when it is translated, and added up whenever it runs. */

static void ran(unsigned cpu, void *data)
{
    (void)cpu;
    const uint32_t *const block = data;
    for (int kind = 0; kind < KINDS; kind++)
        executed[kind] += block[kind];
}

static void translated(plugin_id id, struct qemu_plugin_tb *tb)
{
    (void)id;
    uint32_t *const block = calloc(KINDS, sizeof *block); /* as long as the emulator runs */
    if (!block)
        abort();
    for (size_t index = 0; index < qemu_plugin_tb_n_insns(tb); index++) {
        struct qemu_plugin_insn *const instruction = qemu_plugin_tb_get_insn(tb, index);
        const enum kind kind = kind_of(word_of(instruction));
        block[kind]++;
        if (cache.sets && (kind == LOAD_STORE || kind == VECTOR_LOAD_STORE))
            qemu_plugin_register_vcpu_mem_cb(instruction, accessed, NO_REGISTERS, READS_AND_WRITES, NULL);
    }
    qemu_plugin_register_vcpu_tb_exec_cb(tb, ran, NO_REGISTERS, block);
}

/* ---- Memory of the guest: the emulator's own memory lies elsewhere. Started with -R, it keeps the guest within
   guest=BEGIN:END, of which the kernel tells what is resident. */

static uint64_t guest_begin, guest_end;

static uint64_t guest_bytes(void)
{
    FILE *const maps = guest_end ? fopen("/proc/self/smaps", "r") : NULL;
    char line[512];
    unsigned long long begin = 0, end = 0, kilobytes, sum = 0;
    bool inside = false;
    while (maps && fgets(line, sizeof line, maps)) {
        if (sscanf(line, "%llx-%llx ", &begin, &end) == 2)
            inside = begin >= guest_begin && end <= guest_end;
        else if (inside && sscanf(line, "Rss: %llu kB", &kilobytes) == 1)
            sum += kilobytes << 10;
    }
    if (maps)
        fclose(maps);
    return sum;
}

/* ---- What is written. */

static void tell(const char *mark, bool memory)
{
    fprintf(out, "{\"mark\": \"%s\", \"missed\": %llu", mark, (unsigned long long)cache.missed);
    for (int kind = 0; kind < KINDS; kind++)
        fprintf(out, ", \"%s\": %llu", names[kind], (unsigned long long)executed[kind]);
    fprintf(out, ", \"guest_bytes\": %llu}\n", (unsigned long long)(memory ? guest_bytes() : 0));
    fflush(out); /* a guest that dies has told so far */
}

static void called(plugin_id id, unsigned cpu, int64_t number, uint64_t policy, uint64_t b, uint64_t c, uint64_t d,
                   uint64_t e, uint64_t f, uint64_t g, uint64_t h)
{
    (void)id, (void)cpu, (void)b, (void)c, (void)d, (void)e, (void)f, (void)g, (void)h;
    for (size_t index = 0; number == SCHED_GET_PRIORITY_MAX && index < sizeof marks / sizeof *marks; index++)
        if (marks[index].policy == policy) {
            cache.awake |= index == 0;
            tell(marks[index].name, index == 2);
        }
}

static void ended(plugin_id id, void *data)
{
    (void)id, (void)data;
    tell("exit", false);
    fclose(out);
}

EXPORT int qemu_plugin_install(plugin_id id, const void *info, int count, char **arguments)
{
    (void)info;
    size_t kilobytes = 0, ways = 0;
    unsigned long long begin, end;
    for (int index = 0; index < count; index++) {
        if (!strncmp(arguments[index], "out=", 4))
            out = fopen(arguments[index] + 4, "w");
        else if (sscanf(arguments[index], "guest=%llx:%llx", &begin, &end) == 2)
            guest_begin = begin, guest_end = end;
        else if (sscanf(arguments[index], "cache=%zu:%zu", &kilobytes, &ways) != 2)
            return -1;
    }
    if (!out || !make_cache(kilobytes, ways))
        return -1;
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_vcpu_syscall_cb(id, called);
    qemu_plugin_register_atexit_cb(id, ended, NULL);
    return 0;
}
