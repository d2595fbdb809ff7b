#if canImport(CryptoKit)
internal import CryptoKit

/// SHA-256 (FIPS 180-4) of bytes that come piece by piece, by the system's library.
struct SHA256Hash {
    private var hash = SHA256()

    /// Adds bytes behind those before.
    mutating func update(_ bytes: RawSpan) {
        unsafe bytes.withUnsafeBytes { unsafe hash.update(bufferPointer: $0) }
    }

    /// Returns the 32 bytes of the digest.
    consuming func finish() -> [UInt8] { Array(hash.finalize()) }
}
#else
internal import CCrypto

/// SHA-256 (FIPS 180-4) of bytes that come piece by piece, by the system's library.
///
/// `@safe`: the context never leaves it, and is freed with it.
@safe
struct SHA256Hash: ~Copyable {
    private let context: OpaquePointer

    init() {
        guard let context = unsafe EVP_MD_CTX_new() else {
            preconditionFailure("no memory for a digest of 100 bytes")
        }
        unsafe self.context = context
        Self.require(unsafe EVP_DigestInit_ex(context, EVP_sha256(), nil))
    }

    deinit { unsafe EVP_MD_CTX_free(context) }

    /// Adds bytes behind those before.
    mutating func update(_ bytes: RawSpan) {
        let status = unsafe bytes.withUnsafeBytes { bytes in
            unsafe EVP_DigestUpdate(context, bytes.baseAddress, bytes.count)
        }
        Self.require(status)
    }

    /// Returns the 32 bytes of the digest.
    consuming func finish() -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: 32)
        let status = unsafe digest.withUnsafeMutableBufferPointer { buffer in
            unsafe EVP_DigestFinal_ex(context, buffer.baseAddress, nil)
        }
        Self.require(status)
        return digest
    }

    /// A built-in digest of bytes in memory fails only if the library itself is broken.
    private static func require(_ status: Int32) {
        precondition(status == 1, "libcrypto cannot compute SHA-256")
    }
}
#endif
