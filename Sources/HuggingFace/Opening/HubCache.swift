internal import Files

#if canImport(Glibc)
internal import Glibc
#else
internal import Darwin
#endif

/// A model's name in the Hugging Face hub: `organisation/name`.
struct HubRepository: Equatable {
    let organisation: String
    let name: String

    /// Parses `organisation/name`; nil if the text is something else.
    init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, parts.allSatisfy(HubRepository.isPlain) else { return nil }
        organisation = String(parts[0])
        name = String(parts[1])
    }

    private static func isPlain(_ part: Substring) -> Bool {
        guard let first = part.utf8.first, first != UInt8(ascii: "."), part.utf8.count <= 96 else {
            return false
        }
        return part.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"),
                UInt8(ascii: "."):
                true
            default: false
            }
        }
    }
}

/// The local cache of the Hugging Face hub: `models--ORG--NAME/snapshots/REVISION/file`, where the
/// files are links into `models--ORG--NAME/blobs`.
struct HubCache {
    /// The folder of the cache; nil if the environment does not tell.
    let path: String?

    /// Finds the cache as the hub's client does.
    /// - Parameter environment: the value of a variable, or nil.
    init(environment: (String) -> String?) {
        if let path = environment("HF_HUB_CACHE") ?? environment("HUGGINGFACE_HUB_CACHE") {
            self.path = path
        } else if let home = environment("HF_HOME") {
            path = home + "/hub"
        } else if let cache = environment("XDG_CACHE_HOME") {
            path = cache + "/huggingface/hub"
        } else {
            path = environment("HOME").map { $0 + "/.cache/huggingface/hub" }
        }
    }

    /// Reads a variable of the process; an empty one counts as absent.
    static func systemVariable(_ name: String) -> String? {
        guard let value = unsafe getenv(name) else { return nil }
        let text = unsafe String(validatingCString: value)
        return text?.isEmpty == true ? nil : text
    }

    /// Returns the folder that holds the main revision of a model; nil if the cache lacks it.
    func snapshot(_ repository: HubRepository) -> String? {
        guard let path else { return nil }
        let root = "\(path)/models--\(repository.organisation)--\(repository.name)"
        guard let reference = try? InputFile(at: root + "/refs/main"),
            let bytes = try? reference.wholeText(limit: 256)
        else { return nil }
        let revision =
            String(decoding: bytes, as: UTF8.self)
            .split(whereSeparator: \.isWhitespace).first.map(String.init) ?? ""
        // A commit's number; anything else might lead out of the cache.
        guard !revision.isEmpty,
            revision.utf8.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit })
        else { return nil }
        return "\(root)/snapshots/\(revision)"
    }
}
