public import Foundation

/// Files of the repository that are no part of the test data.
public enum Repository {
    /// The top folder.
    public static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    /// The embedded model.
    public static let model = root.appendingPathComponent("Examples/tiny-model/checkpoint")

    /// Text that the embedded model has not seen.
    public static let validText = model.appendingPathComponent("valid.txt")
}
