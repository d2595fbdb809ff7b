internal import CZstd

/// The zstd library that is linked.
package enum ZstdLibrary {
    /// Its version, for example `1.5.7`.
    package static var version: String { unsafe String(cString: ZSTD_versionString()) }
}
