// The routines of OpenBLAS and of LAPACK (by its C interface, LAPACKE) that this package calls.
//
// The libraries are loaded with the first call, not with the program: most of what the package does
// needs neither, and OpenBLAS starts threads of its own when it is loaded, which under a limit on
// memory (`ulimit -d`) goes on for ever. It is told here to use the calling thread alone.
//
// Without the libraries a call prints which packages bring them, and aborts.
#ifndef CLINEARALGEBRA_H
#define CLINEARALGEBRA_H

// The values CBLAS and LAPACKE give these.
enum { LA_ROW_MAJOR = 101, LA_AS_STORED = 111, LA_TRANSPOSED = 112 };

// CBLAS: c = alpha * op(a) * op(b) + beta * c, row by row. Any number of threads may call at once.
void la_sgemm(int transposes_a, int transposes_b, int rows, int columns, int inner, float alpha,
              const float *a, int a_stride, const float *b, int b_stride, float beta, float *c,
              int c_stride);
void la_dgemm(int transposes_a, int transposes_b, int rows, int columns, int inner, double alpha,
              const double *a, int a_stride, const double *b, int b_stride, double beta, double *c,
              int c_stride);

// CBLAS: y = alpha * op(a) * x + beta * y.
void la_sgemv(int transposes_a, int rows, int columns, float alpha, const float *a, int a_stride,
              const float *x, int x_step, float beta, float *y, int y_step);

// LAPACKE, row by row; each returns LAPACK's `info`.
int la_dgesdd(char job, int rows, int columns, double *a, int a_stride, double *values,
              double *left, int left_stride, double *right, int right_stride);
int la_dsyevd(char job, char triangle, int size, double *a, int a_stride, double *values);
int la_dsyevr(char job, char range, char triangle, int size, double *a, int a_stride,
              double lower_value, double upper_value, int lower_index, int upper_index,
              double tolerance, int *found, double *values, double *vectors, int vectors_stride,
              int *support);
int la_dpotrf(char triangle, int size, double *a, int a_stride);
int la_dgeqrf(int rows, int columns, double *a, int a_stride, double *factors);
int la_dorgqr(int rows, int columns, int reflectors, double *a, int a_stride,
              const double *factors);

#endif
