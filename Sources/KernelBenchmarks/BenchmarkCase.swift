package import Machine
public import SIMDKernels
package import Tensors

/// What of the machine holds a row up.
public enum BenchmarkLimit: Hashable, Sendable {
    /// Reading memory. The bytes of a row that writes, or that finds its data in caches, can exceed it.
    case memory
    /// Multiplying and adding in a mode.
    case arithmetic(ComputeMode)
}

/// One row of the benchmark: a family, a format, an element type and a variant.
package struct BenchmarkCase {
    /// Makes a row of all its members.
    package init(
        operation: String,
        format: String,
        element: FloatDType,
        mode: ComputeMode? = nil,
        variant: String,
        isSelected: Bool,
        byteCount: Int,
        operationCount: Int = 0,
        limit: BenchmarkLimit = .memory,
        run: @escaping (inout BenchmarkMemory, WorkerPool) -> Void
    ) {
        self.operation = operation
        self.format = format
        self.element = element
        self.mode = mode
        self.variant = variant
        self.isSelected = isSelected
        self.byteCount = byteCount
        self.operationCount = operationCount
        self.limit = limit
        self.run = run
    }

    /// What is computed, for example `quantize`.
    package let operation: String
    /// The format, for example `nf4`.
    package let format: String
    /// The element type of the floats.
    package let element: FloatDType
    /// How a product rounds its operands; nil for all else.
    package let mode: ComputeMode?
    /// The variant's name, or `reference`.
    package let variant: String
    /// Whether the variant is the one in use.
    package let isSelected: Bool
    /// The bytes of floats that a run reads or writes; less than the matrix where the row is slow.
    package let byteCount: Int
    /// Multiplications and additions of a run; 0 where these are not what counts.
    package let operationCount: Int
    /// What it cannot be faster than.
    package let limit: BenchmarkLimit
    /// Runs it once.
    package let run: (inout BenchmarkMemory, WorkerPool) -> Void

    /// The mode of a product, the element type of all else.
    package var numbers: String { mode?.rawValue ?? "\(element)" }
    /// The row's name: operation, format, numbers and variant, separated by `/`.
    package var name: String { "\(operation)/\(format)/\(numbers)/\(variant)" }
}

/// A family of kernels that the benchmark covers.
package protocol BenchmarkFamily {
    /// Returns the family's rows for a square matrix.
    ///
    /// Every supported variant has a row for each format and element type; the plain Swift reference
    /// has one as well.
    static func cases(size: Int) -> [BenchmarkCase]
}

extension BenchmarkCase {
    /// The elements of a tile: small enough for a core's caches, a whole number of blocks of any
    /// size.
    static let tileElementCount = 1 << 16

    /// Makes a row for a kernel's variant.
    init<Variant: Kernel>(
        _ operation: String,
        _ format: String,
        _ element: FloatDType,
        kernel: Variant,
        byteCount: Int,
        run: @escaping (inout BenchmarkMemory, WorkerPool) -> Void
    ) {
        self.init(
            operation: operation,
            format: format,
            element: element,
            variant: kernel.name,
            isSelected: kernel.name == Variant.selected.name,
            byteCount: byteCount,
            run: run
        )
    }

    /// Makes a row for a kernel's variant that handles a square matrix of `size` rows once.
    init<Variant: Kernel>(
        _ operation: String,
        _ format: String,
        _ element: FloatDType,
        kernel: Variant,
        size: Int,
        run: @escaping (inout BenchmarkMemory, WorkerPool) -> Void
    ) {
        self.init(
            operation,
            format,
            element,
            kernel: kernel,
            byteCount: size * size * element.byteCount,
            run: run
        )
    }

    /// Makes a row for a plain Swift reference, which handles `elementCount` elements a run.
    init(
        reference operation: String,
        _ format: String,
        _ element: FloatDType,
        elementCount: Int,
        run: @escaping (inout BenchmarkMemory, WorkerPool) -> Void
    ) {
        self.init(
            operation: operation,
            format: format,
            element: element,
            variant: "reference",
            isSelected: false,
            byteCount: elementCount * element.byteCount,
            run: run
        )
    }
}
