#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

/// The permissions of an output: never more than the user's mask, nor than those of its sources.
struct OutputModes {
    /// Of its files: `0666 & ~umask`, and what every source file allows.
    let file: mode_t
    /// Of its folder: `0777 & ~umask`, and what the source folder allows.
    let folder: mode_t

    init(sources: [String]) {
        // There is no way to ask for the mask but to set it. A file that another thread creates
        // in between gets fewer permissions, not more.
        let mask = umask(0o077)
        _ = umask(mask)
        var file: mode_t = 0o666 & ~mask
        var folder: mode_t = 0o777 & ~mask
        for source in sources {
            guard let status = FileStatus(following: source) else { continue }
            if status.isRegular { file &= status.mode }
            guard status.isFolder else { continue }
            // The owner can always use what was made for them.
            folder &= status.mode | 0o700
            guard
                case .success(let opened) = Descriptor.open(
                    source,
                    flags: O_RDONLY | O_DIRECTORY,
                    name: source
                ), let entries = try? opened.entries()
            else { continue }
            for entry in entries where entry.hasSuffix(".safetensors") {
                let status = FileStatus(of: entry, in: opened, following: true)
                if let status, status.isRegular { file &= status.mode }
            }
        }
        self.file = file | 0o400
        self.folder = folder
    }
}
