#include "CLinearAlgebra.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef __APPLE__
static const char *const openblas_names[] = {"/opt/homebrew/opt/openblas/lib/libopenblas.dylib",
                                             "/usr/local/opt/openblas/lib/libopenblas.dylib", NULL};
static const char *const lapacke_names[] = {"/opt/homebrew/opt/lapack/lib/liblapacke.dylib",
                                            "/usr/local/opt/lapack/lib/liblapacke.dylib", NULL};
static const char packages[] = "brew install openblas lapack";
#else
static const char *const openblas_names[] = {"libopenblas.so.0", NULL};
static const char *const lapacke_names[] = {"liblapacke.so.3", NULL};
static const char packages[] = "apt-get install libopenblas0-pthread liblapacke";
#endif

// As the libraries declare them; CBLAS passes its enumerations as int.
static struct {
    void (*sgemm)(int, int, int, int, int, int, float, const float *, int, const float *, int,
                  float, float *, int);
    void (*dgemm)(int, int, int, int, int, int, double, const double *, int, const double *, int,
                  double, double *, int);
    void (*sgemv)(int, int, int, int, float, const float *, int, const float *, int, float,
                  float *, int);
    int (*dgesdd)(int, char, int, int, double *, int, double *, double *, int, double *, int);
    int (*dsyevd)(int, char, char, int, double *, int, double *);
    int (*dsyevr)(int, char, char, char, int, double *, int, double, double, int, int, double,
                  int *, double *, double *, int, int *);
    int (*dpotrf)(int, char, int, double *, int);
    int (*dgeqrf)(int, int, int, double *, int, double *);
    int (*dorgqr)(int, int, int, int, double *, int, const double *);
} routines;

static pthread_once_t once = PTHREAD_ONCE_INIT;

// OpenBLAS built without threads keeps one buffer for all callers: its calls go one at a time.
static int is_serial;
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;

static void fail(const char *what) {
    const char *reason = dlerror();
    fprintf(stderr, "error: %s cannot be loaded (%s); install it: %s\n", what,
            reason ? reason : "no reason given", packages);
    abort();
}

static void *open_library(const char *what, const char *const *names) {
    for (; *names; names++) {
        void *library = dlopen(*names, RTLD_NOW | RTLD_LOCAL);
        if (library) return library;
    }
    fail(what);
    return NULL;
}

// A function pointer through memory: ISO C has no cast from void *.
static void find(void *library, const char *name, void *place) {
    void *symbol = dlsym(library, name);
    if (!symbol) fail(name);
    *(void **)place = symbol;
}

static void load(void) {
    // Read once, while the libraries are loaded: by OpenBLAS, and by the copy of it that LAPACK may
    // bring. Put back afterwards: it is no concern of child processes.
    const char *variable = "OPENBLAS_NUM_THREADS";
    const char *value = getenv(variable);
    char *before = value ? strdup(value) : NULL;
    setenv(variable, "1", 1);
    void *openblas = open_library("OpenBLAS", openblas_names);
    void *lapacke = open_library("LAPACKE", lapacke_names);
    if (before) {
        setenv(variable, before, 1);
        free(before);
    } else {
        unsetenv(variable);
    }

    void (*set_thread_count)(int);
    int (*parallelism)(void);
    find(openblas, "openblas_set_num_threads", &set_thread_count);
    find(openblas, "openblas_get_parallel", &parallelism);
    set_thread_count(1);
    is_serial = parallelism() == 0;

    find(openblas, "cblas_sgemm", &routines.sgemm);
    find(openblas, "cblas_dgemm", &routines.dgemm);
    find(openblas, "cblas_sgemv", &routines.sgemv);
    find(lapacke, "LAPACKE_dgesdd", &routines.dgesdd);
    find(lapacke, "LAPACKE_dsyevd", &routines.dsyevd);
    find(lapacke, "LAPACKE_dsyevr", &routines.dsyevr);
    find(lapacke, "LAPACKE_dpotrf", &routines.dpotrf);
    find(lapacke, "LAPACKE_dgeqrf", &routines.dgeqrf);
    find(lapacke, "LAPACKE_dorgqr", &routines.dorgqr);
}

static void begin(void) {
    pthread_once(&once, load);
    if (is_serial) pthread_mutex_lock(&turn);
}

static void end(void) {
    if (is_serial) pthread_mutex_unlock(&turn);
}

void la_sgemm(int transposes_a, int transposes_b, int rows, int columns, int inner, float alpha,
              const float *a, int a_stride, const float *b, int b_stride, float beta, float *c,
              int c_stride) {
    begin();
    routines.sgemm(LA_ROW_MAJOR, transposes_a, transposes_b, rows, columns, inner, alpha, a,
                   a_stride, b, b_stride, beta, c, c_stride);
    end();
}

void la_dgemm(int transposes_a, int transposes_b, int rows, int columns, int inner, double alpha,
              const double *a, int a_stride, const double *b, int b_stride, double beta, double *c,
              int c_stride) {
    begin();
    routines.dgemm(LA_ROW_MAJOR, transposes_a, transposes_b, rows, columns, inner, alpha, a,
                   a_stride, b, b_stride, beta, c, c_stride);
    end();
}

void la_sgemv(int transposes_a, int rows, int columns, float alpha, const float *a, int a_stride,
              const float *x, int x_step, float beta, float *y, int y_step) {
    begin();
    routines.sgemv(LA_ROW_MAJOR, transposes_a, rows, columns, alpha, a, a_stride, x, x_step, beta,
                   y, y_step);
    end();
}

int la_dgesdd(char job, int rows, int columns, double *a, int a_stride, double *values,
              double *left, int left_stride, double *right, int right_stride) {
    begin();
    int info = routines.dgesdd(LA_ROW_MAJOR, job, rows, columns, a, a_stride, values, left,
                               left_stride, right, right_stride);
    end();
    return info;
}

int la_dsyevd(char job, char triangle, int size, double *a, int a_stride, double *values) {
    begin();
    int info = routines.dsyevd(LA_ROW_MAJOR, job, triangle, size, a, a_stride, values);
    end();
    return info;
}

int la_dsyevr(char job, char range, char triangle, int size, double *a, int a_stride,
              double lower_value, double upper_value, int lower_index, int upper_index,
              double tolerance, int *found, double *values, double *vectors, int vectors_stride,
              int *support) {
    begin();
    int info = routines.dsyevr(LA_ROW_MAJOR, job, range, triangle, size, a, a_stride, lower_value,
                               upper_value, lower_index, upper_index, tolerance, found, values,
                               vectors, vectors_stride, support);
    end();
    return info;
}

int la_dpotrf(char triangle, int size, double *a, int a_stride) {
    begin();
    int info = routines.dpotrf(LA_ROW_MAJOR, triangle, size, a, a_stride);
    end();
    return info;
}

int la_dgeqrf(int rows, int columns, double *a, int a_stride, double *factors) {
    begin();
    int info = routines.dgeqrf(LA_ROW_MAJOR, rows, columns, a, a_stride, factors);
    end();
    return info;
}

int la_dorgqr(int rows, int columns, int reflectors, double *a, int a_stride,
              const double *factors) {
    begin();
    int info = routines.dorgqr(LA_ROW_MAJOR, rows, columns, reflectors, a, a_stride, factors);
    end();
    return info;
}
