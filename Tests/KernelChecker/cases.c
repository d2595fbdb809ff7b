#include "cases.h"
#include "../../Sources/CSIMDKernels/generic/float_convert.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

guarded_buffer make_guarded_buffer(size_t capacity) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    capacity = (capacity + page - 1) / page * page;
    char *all = mmap(NULL, capacity + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (all == MAP_FAILED || mprotect(all + page, capacity, PROT_READ | PROT_WRITE) != 0) {
        perror("mmap");
        exit(2);
    }
    return (guarded_buffer){all + page, capacity};
}

void *guarded_bytes(const guarded_buffer *buffer, size_t size, int at_front) {
    return at_front ? buffer->inner : buffer->inner + buffer->capacity - size;
}

uint32_t next_random(generator *random) {
    // SplitMix64.
    uint64_t z = random->state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return (uint32_t)(z ^ z >> 31);
}

enum { MAP_COUNT = 4 };

struct case_maker {
    guarded_buffer input, other, codes, scales;
    qk_codebook_4bit codebooks_4bit[3];
    qk_codebook_8bit codebooks_8bit[MAP_COUNT];
    float values[MAP_COUNT][256], thresholds[MAP_COUNT][256];
    uint32_t lookup[MAP_COUNT][QK_LOOKUP_8BIT_CAPACITY];
};

/// Tables with the structure of the real ones: uneven, shuffled, and sign and magnitude.
static void make_codebooks_4bit(qk_codebook_4bit *books) {
    for (int number = 0; number < 2; number++) {
        float sorted[16];
        for (int rank = 0; rank < 16; rank++) {
            float t = (float)(rank - 7) / 8;
            sorted[rank] = (t + t * t * t) / 2;
            books[number].code_of_rank[rank] = (uint8_t)(number ? rank * 7 % 16 : rank);
            books[number].values[books[number].code_of_rank[rank]] = sorted[rank];
        }
        for (int rank = 0; rank < 16; rank++)
            books[number].thresholds[rank] =
                rank < 15 ? (sorted[rank] + sorted[rank + 1]) * 0.5f : INFINITY;
        books[number].magnitude_rule = 0;
    }
    const float magnitudes[8] = {0, 0.01f, 0.15f, 0.27f, 0.31f, 0.55f, 0.7f, 1};
    const uint8_t codes[8] = {0, 1, 6, 7, 4, 5, 2, 3};
    books[2].magnitude_rule = 1;
    for (int rank = 0; rank < 16; rank++) {
        books[2].code_of_rank[rank] = codes[rank % 8] | (rank & 8);
        books[2].values[books[2].code_of_rank[rank]] =
            rank < 8 ? magnitudes[rank] : -magnitudes[rank - 8];
        books[2].thresholds[rank] =
            rank < 7 ? (magnitudes[rank] + magnitudes[rank + 1]) * 0.5f : INFINITY;
    }
}

/// Maps with and without look-up: even steps of both signs and of one, powers, and steps so
/// small that no look-up is fine enough.
static void make_maps(case_maker *maker) {
    for (int i = 0; i < 256; i++) {
        int step = i - 127;
        maker->values[0][i] = (float)step / 128;
        maker->values[1][i] = (float)i / 255;
        float power = ldexpf(1 + (float)(abs(step) % 8) / 8, abs(step) / 8 - 16);
        maker->values[2][i] = step == 0 ? 0 : step < 0 ? -power : power;
        maker->values[3][i] = 0.5f + (float)step * 0x1p-20f;
    }
    for (int number = 0; number < MAP_COUNT; number++) {
        qk_codebook_8bit *book = &maker->codebooks_8bit[number];
        qk_codebook_8bit_thresholds(maker->values[number], maker->thresholds[number]);
        book->values = maker->values[number];
        book->thresholds = maker->thresholds[number];
        qk_codebook_8bit_make_lookup(book, maker->lookup[number]);
        if ((book->lookup == NULL) != (number == 3)) {
            fprintf(stderr, "map %d has an unexpected kind of look-up\n", number);
            exit(2);
        }
    }
}

case_maker *make_case_maker(void) {
    case_maker *maker = calloc(1, sizeof *maker);
    if (!maker)
        exit(2);
    maker->input = make_guarded_buffer(MAX_COUNT * 4);
    maker->other = make_guarded_buffer(MAX_COUNT * 4);
    maker->codes = make_guarded_buffer(MAX_COUNT);
    maker->scales = make_guarded_buffer(MAX_COUNT * 4);
    make_codebooks_4bit(maker->codebooks_4bit);
    make_maps(maker);
    return maker;
}

static float uniform(generator *random) {
    return (float)(int32_t)next_random(random) * 0x1p-31f;
}

/// One element of a run of the given kind.
static float make_element(generator *random, int kind, const test_case *c) {
    float sum = 0, tie;
    for (int i = 0; i < 4; i++)
        sum += uniform(random);
    switch (kind) {
    case 0: // near thresholds; a 1 in the run makes them exact
        if (next_random(random) % 16 == 0)
            return 1;
        tie = next_random(random) % 2 ? c->codebook_4bit->thresholds[next_random(random) % 7]
                                      : c->codebook_8bit->thresholds[next_random(random) % 255];
        tie = qk_float_of(qk_bits_of(tie) + next_random(random) % 3 - 1);
        return next_random(random) % 2 ? tie : -tie;
    case 1:
        return next_random(random) % 2 ? 0.0f : -0.0f;
    case 2:
        return uniform(random) * 0x1p-126f;
    case 3:
        return uniform(random) * 3e38f;
    case 4: // a few infinities and NaNs
        if (next_random(random) % 64 == 0)
            return qk_float_of(next_random(random) | 0x7f800000);
        return sum * 0.02f;
    case 5: // any bits
        return qk_float_of(next_random(random));
    case 6:
        return uniform(random) * 1e-36f;
    default:
        return sum * 0.02f;
    }
}

static void fill(generator *random, const test_case *c, void *elements, qk_float_type type) {
    for (size_t i = 0, run = 0; i < c->count; i++) {
        if (i % c->block_size == 0)
            run = next_random(random) % 14;
        float element = make_element(random, (int)run, c);
        uint32_t bits = qk_bits_of(element);
        uint16_t half = type == QK_BFLOAT16 ? (uint16_t)(bits >> 16) : qk_narrow_f16(bits);
        if (run == 5)
            half = (uint16_t)next_random(random);
        if (type == QK_FLOAT32)
            memcpy((char *)elements + 4 * i, &bits, 4);
        else
            memcpy((char *)elements + 2 * i, &half, 2);
    }
}

void make_case(case_maker *maker, uint64_t seed, test_case *c) {
    static const size_t block_sizes[] = {2, 6, 30, 32, 34, 64, 96, 128, 256, 512, 1024, 4096};
    generator random = {seed};
    c->block_size = block_sizes[next_random(&random) % 12];
    size_t few = next_random(&random) % 4 * c->block_size + next_random(&random) % 70;
    c->count = seed % 8 == 0 ? next_random(&random) % MAX_COUNT : few % MAX_COUNT;
    c->column_count = 1 + next_random(&random) % 200;
    c->row_count = c->count / c->column_count;
    c->type = next_random(&random) % 3;
    c->other_type = next_random(&random) % 3;
    c->streaming = next_random(&random) % 2;
    c->with_scales = next_random(&random) % 3 == 0;
    c->codebook_4bit = &maker->codebooks_4bit[next_random(&random) % 3];
    c->codebook_8bit = &maker->codebooks_8bit[next_random(&random) % MAP_COUNT];
    int at_front = next_random(&random) % 2;
    void *input = guarded_bytes(&maker->input, c->count * qk_float_size(c->type), at_front);
    void *other = guarded_bytes(&maker->other, c->count * qk_float_size(c->other_type), at_front);
    uint8_t *codes = guarded_bytes(&maker->codes, c->count, at_front);
    float *scales = guarded_bytes(&maker->scales, c->count * 4, at_front);
    fill(&random, c, input, c->type);
    // Often a slightly different copy, as the decoded form of an original is.
    if (next_random(&random) % 2) {
        c->other_type = c->type;
        other = guarded_bytes(&maker->other, c->count * qk_float_size(c->type), at_front);
        memcpy(other, input, c->count * qk_float_size(c->type));
        for (size_t i = 0; i < c->count * qk_float_size(c->type); i += 1 + next_random(&random) % 99)
            ((uint8_t *)other)[i] ^= 1;
    } else {
        fill(&random, c, other, c->other_type);
    }
    for (size_t i = 0; i < c->count; i++) {
        codes[i] = (uint8_t)next_random(&random);
        int kind = next_random(&random) % 24;
        scales[i] = make_element(&random, kind < 8 ? kind : 7, c);
    }
    c->input = input;
    c->other = other;
    c->codes = codes;
    c->scales = scales;
}
