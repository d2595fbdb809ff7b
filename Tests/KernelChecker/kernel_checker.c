// Compares every variant of every kernel family that this processor can run with the generic one,
// bit for bit (variants that say they are not exact within a derived bound), on random cases: ragged
// sizes, all block sizes and types, special values, buffers that end at pages which must not be touched.
//
//   kernel_checker [--require NAME]... [--forbid NAME]... [--cases N]
//
// NAME is an instruction set that must run in every family, or in none. Prints a line for each family
// and variant and how many passed and failed; exits with 1 if one failed or a demand is not met.

#include "cases.h"
#include "layers.h"
#include "products.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/// Outputs of a call: codes or elements, scales or counts.
typedef struct {
    guarded_buffer first, second;
} output_buffers;

static output_buffers expected, found;

/// The outputs' bytes for one call, filled with a pattern.
typedef struct {
    void *first, *second;
} outputs;

static outputs prepare(const output_buffers *buffers, size_t first, size_t second, int at_front) {
    outputs result = {guarded_bytes(&buffers->first, first, at_front),
                      guarded_bytes(&buffers->second, second, at_front)};
    memset(result.first, 0xa5, first);
    memset(result.second, 0xa5, second);
    return result;
}

// Defines variant_F, which returns variant number `index` of family F or NULL, and compare_F, which
// returns whether it does the same as the last, the generic one. CALL uses `c` and `o`.
#define FAMILY(F, FIRST_SIZE, SECOND_SIZE, CALL)                                                   \
    static const qk_variant *variant_##F(size_t index) {                                           \
        size_t count;                                                                              \
        const qk_##F##_entry *entries = qk_##F##_entries(&count);                                  \
        return index < count ? &entries[index].variant : NULL;                                     \
    }                                                                                              \
    static void call_##F(qk_##F##_fn *function, const test_case *c, outputs o) { CALL; }           \
    static int compare_##F(size_t index, const test_case *c) {                                     \
        size_t count, first = (FIRST_SIZE), second = (SECOND_SIZE);                                \
        const qk_##F##_entry *entries = qk_##F##_entries(&count);                                  \
        int at_front = c->streaming; /* aligned there */                                           \
        outputs generic = prepare(&expected, first, second, at_front);                             \
        outputs other = prepare(&found, first, second, at_front);                                  \
        call_##F(entries[count - 1].function, c, generic);                                         \
        call_##F(entries[index].function, c, other);                                               \
        return memcmp(generic.first, other.first, first) == 0 &&                                   \
               memcmp(generic.second, other.second, second) == 0;                                  \
    }

#define BLOCK_COUNT ((c->count + c->block_size - 1) / c->block_size)
#define ELEMENT_COUNT (c->row_count * c->column_count)

FAMILY(quantize_4bit, (c->count + 1) / 2, BLOCK_COUNT * 4,
       function(c->input, c->type, c->count, c->block_size, c->codebook_4bit,
                c->with_scales ? c->scales : NULL, o.first, o.second))
FAMILY(dequantize_4bit, c->count *qk_float_size(c->type), 0,
       function(c->codes, c->scales, c->count, c->block_size, c->codebook_4bit->values, o.first,
                c->type, c->streaming))
FAMILY(quantize_int8_rows, ELEMENT_COUNT, c->row_count * 4,
       function(c->input, c->type, c->row_count, c->column_count, o.first, o.second))
FAMILY(dequantize_int8_rows, ELEMENT_COUNT *qk_float_size(c->type), 0,
       function(c->codes, c->scales, c->row_count, c->column_count, o.first, c->type,
                c->streaming))
FAMILY(quantize_8bit, c->count, BLOCK_COUNT * 4,
       function(c->input, c->type, c->count, c->block_size, c->codebook_8bit, o.first, o.second))
FAMILY(dequantize_8bit, c->count *qk_float_size(c->type), 0,
       function(c->codes, c->scales, c->count, c->block_size, c->codebook_8bit->values, o.first,
                c->type, c->streaming))
FAMILY(scale_search_4bit, BLOCK_COUNT * 4, 0,
       function(c->input, c->type, c->count, c->block_size, c->codebook_4bit, o.first))
FAMILY(error_sums, 0, sizeof(qk_error_sums),
       function(c->input, c->type, c->other, c->other_type, c->count, o.second))
FAMILY(count_non_finite, 0, sizeof(size_t),
       *(size_t *)o.second = function(c->input, c->type, c->count))
FAMILY(convert_float, c->count *qk_float_size(c->other_type), sizeof(qk_convert_counts),
       function(c->input, c->type, c->count, o.first, c->other_type, o.second))

typedef struct {
    const char *name;
    const qk_variant *(*variant)(size_t index);
    int (*compare)(size_t index, const test_case *c);
} family;

static const family families[] = {
#define ENTRY(F) {#F, variant_##F, compare_##F}
    ENTRY(quantize_4bit),      ENTRY(dequantize_4bit), ENTRY(quantize_int8_rows),
    ENTRY(dequantize_int8_rows), ENTRY(quantize_8bit), ENTRY(dequantize_8bit),
    ENTRY(scale_search_4bit),  ENTRY(error_sums),      ENTRY(convert_float),
    ENTRY(count_non_finite),
#undef ENTRY
};
enum { FAMILY_COUNT = sizeof families / sizeof families[0] };

static size_t passed, failed;

static void report(const char *family_name, const char *variant, size_t cases, size_t wrong,
                   uint64_t seed) {
    if (wrong == 0)
        printf("ok    %-20s %-10s %zu cases\n", family_name, variant, cases);
    else
        printf("WRONG %-20s %-10s %zu of %zu cases differ, first with seed %llu\n", family_name,
               variant, wrong, cases, (unsigned long long)seed);
    fflush(stdout);
    wrong == 0 ? passed++ : failed++;
}

/// Compares one variant on all cases.
static void check(case_maker *maker, const family *f, size_t index, size_t case_count) {
    size_t wrong = 0;
    uint64_t first_wrong = 0;
    for (uint64_t seed = 1; seed <= case_count; seed++) {
        test_case c;
        make_case(maker, seed, &c);
        if (!f->compare(index, &c)) {
            first_wrong = wrong == 0 ? seed : first_wrong;
            wrong++;
        }
    }
    report(f->name, f->variant(index)->name, case_count, wrong, first_wrong);
}

static int runs(const family *f, const char *name, uint32_t features) {
    const qk_variant *variant;
    for (size_t index = 0; (variant = f->variant(index)); index++)
        if (strcmp(variant->instruction_set, name) == 0 &&
            (variant->features & features) == variant->features)
            return 1;
    return 0;
}

int main(int argument_count, char **arguments) {
    size_t case_count = 3000;
    uint32_t features = qk_host_features();
    for (int i = 1; i < argument_count; i += 2) {
        const char *option = arguments[i], *value = arguments[i + 1];
        int require = strcmp(option, "--require") == 0;
        if (i + 1 == argument_count ||
            (!require && strcmp(option, "--forbid") != 0 && strcmp(option, "--cases") != 0)) {
            fprintf(stderr, "usage: kernel_checker [--require NAME] [--forbid NAME] [--cases N]\n");
            return 64;
        }
        if (strcmp(option, "--cases") == 0) {
            case_count = strtoul(value, NULL, 10);
            continue;
        }
        for (int f = 0; f < FAMILY_COUNT; f++)
            if (runs(&families[f], value, features) != require) {
                printf("WRONG %-20s %-10s %s\n", families[f].name, value,
                       require ? "does not run here" : "runs here");
                failed++;
            }
    }
    case_maker *maker = make_case_maker();
    expected = (output_buffers){make_guarded_buffer(MAX_COUNT * 4), make_guarded_buffer(MAX_COUNT * 4)};
    found = (output_buffers){make_guarded_buffer(MAX_COUNT * 4), make_guarded_buffer(MAX_COUNT * 4)};
    for (int f = 0; f < FAMILY_COUNT; f++) {
        const qk_variant *variant;
        for (size_t index = 0; (variant = families[f].variant(index)); index++)
            if ((variant->features & features) == variant->features)
                check(maker, &families[f], index, case_count);
    }
    // A product takes as long as some ten cases of the others.
    check_products(features, case_count / 10, report);
    check_layers(features, case_count / 10, report);
    printf("%zu passed, %zu failed\n", passed, failed);
    return failed > 0;
}
