internal import ArgumentParser

/// A number of bytes as people type it: `5GB`, `500MB`, `2GiB`, `4096`.
///
/// `KB`, `MB`, `GB`, `TB` are powers of 1000 and `KiB` … `TiB` powers of 1024, as in the
/// `max_shard_size` of transformers. A small `b` means bits there; here it is refused, because
/// nobody who types `5gb` wants an eighth of it.
struct ByteSize: Hashable, Sendable {
    /// The size.
    let byteCount: Int

    private static let units: [(suffix: String, byteCount: Int)] = [
        ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40),
        ("KB", 1000), ("MB", 1_000_000), ("GB", 1_000_000_000), ("TB", 1_000_000_000_000),
        ("B", 1),
    ]

    /// Parses a size; nil unless it is a positive whole number with one of the units.
    init?(_ text: String) {
        let unit = ByteSize.units.first { text.hasSuffix($0.suffix) }
        let digits = text.dropLast(unit?.suffix.count ?? 0)
        guard !digits.isEmpty, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let number = Int(digits), number > 0
        else { return nil }
        let product = number.multipliedReportingOverflow(by: unit?.byteCount ?? 1)
        guard !product.overflow else { return nil }
        byteCount = product.partialValue
    }
}

extension ByteSize {
    /// Parses the value of an option.
    /// - Throws: `ValidationError` that says what a size looks like.
    static func parsed(_ argument: String) throws -> ByteSize {
        guard let size = ByteSize(argument) else {
            throw ValidationError("a size is a whole number with a unit, such as 500MB or 2GiB")
        }
        return size
    }
}
