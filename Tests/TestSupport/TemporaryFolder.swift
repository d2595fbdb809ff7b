import Foundation

/// A folder for one test, gone with everything in it when nobody refers to it any more.
public final class TemporaryFolder: Sendable {
    /// Its path, links resolved.
    public let path: String

    /// Makes an empty folder.
    public init() throws {
        let name = "swift-qlora-tests-\(UUID().uuidString)"
        let url = FileManager.default.temporaryDirectory.resolvingSymlinksInPath()
            .appendingPathComponent(name)
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: false)
        path = url.path
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// Returns the path of something in the folder.
    public func callAsFunction(_ name: String) -> String { path + "/" + name }

    /// Returns the names in the folder, or in a folder below it, sorted, hidden ones included.
    public func listing(_ name: String = "") throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: self(name)).sorted()
    }

    /// Returns the bytes of a file in the folder.
    public func bytes(_ name: String) throws -> [UInt8] {
        try [UInt8](Data(contentsOf: URL(fileURLWithPath: self(name))))
    }

    /// Writes a file in the folder.
    public func write(_ name: String, _ bytes: [UInt8] = []) throws {
        try Data(bytes).write(to: URL(fileURLWithPath: self(name)))
    }

    /// Makes a folder in the folder.
    public func makeFolder(_ name: String) throws {
        try FileManager.default.createDirectory(
            atPath: self(name),
            withIntermediateDirectories: false
        )
    }

    /// Whether something is there, a link that leads nowhere included.
    public func has(_ name: String) -> Bool {
        (try? FileManager.default.attributesOfItem(atPath: self(name))) != nil
    }
}
