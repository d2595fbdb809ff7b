#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Forces a set of kernels for the rest of this process; for exit tests.
func setKernelVariable(_ value: String) {
    setenv("QUANT_KERNEL", value, 1)
}
