#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

/// What the system says of itself, without anything that names the machine or its user.
enum Host {
    /// Kernel, release and machine, without the node's name: `Linux 6.1.0 x86_64`.
    static var system: String {
        var name = utsname()
        guard unsafe uname(&name) == 0 else { return "unknown" }
        return [text(name.sysname), text(name.release), text(name.machine)].joined(separator: " ")
    }

    /// The name of the distribution, if the system has one: `Debian GNU/Linux 12 (bookworm)`.
    static var distribution: String? {
        value(of: "PRETTY_NAME", separator: "=", in: contents("/etc/os-release"))
    }

    /// The name of the processor.
    static var processor: String {
        #if canImport(Darwin)
        var bytes = [CChar](repeating: 0, count: 128)
        var count = bytes.count
        guard unsafe sysctlbyname("machdep.cpu.brand_string", &bytes, &count, nil, 0) == 0
        else { return "unknown" }
        return String(
            decoding: bytes.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)),
            as: UTF8.self
        )
        #else
        let information = contents("/proc/cpuinfo")
        return value(of: "model name", separator: ":", in: information)
            ?? value(of: "CPU part", separator: ":", in: information).map { "ARM part \($0)" }
            ?? "unknown"
        #endif
    }

    /// The limits of the process that matter here, with their values.
    static var limits: [(name: String, value: String)] {
        [
            ("data", limit(RLIMIT_DATA, isBytes: true)),
            ("address space", limit(RLIMIT_AS, isBytes: true)),
            ("file size", limit(RLIMIT_FSIZE, isBytes: true)),
            ("open files", limit(RLIMIT_NOFILE, isBytes: false)),
        ]
    }

    /// Whether numbers below the normal range survive arithmetic, as every result here needs.
    static var keepsSubnormals: Bool {
        func identity(_ value: Float) -> Float { value }
        // Not a constant to the compiler.
        let tiny = identity(Float(bitPattern: 0x000A_DAEA &+ UInt32(CommandLine.arguments.count)))
        return tiny * 0.5 != 0
    }

    #if canImport(Glibc)
    private typealias Resource = __rlimit_resource
    #else
    private typealias Resource = Int32
    #endif

    private static func limit(_ resource: Resource, isBytes: Bool) -> String {
        var values = rlimit()
        #if canImport(Glibc)
        let status = unsafe getrlimit(__rlimit_resource_t(resource.rawValue), &values)
        #else
        let status = unsafe getrlimit(resource, &values)
        #endif
        guard status == 0 else { return "unknown" }
        guard let value = Int(exactly: values.rlim_cur), value < Int.max / 2 else { return "none" }
        return isBytes ? Quantity.bytes(value) : Quantity.count(value)
    }

    private static func value(
        of key: String,
        separator: Character,
        in text: String
    ) -> String? {
        for line in text.split(separator: "\n") where line.hasPrefix(key) {
            guard let sign = line.firstIndex(of: separator) else { continue }
            let value = line[sign...].dropFirst().drop { $0 == " " || $0 == "\"" }
            return String(value.reversed().drop { $0 == " " || $0 == "\"" }.reversed())
        }
        return nil
    }

    /// The first 16 KiB of a small system file; empty if it cannot be read.
    private static func contents(_ path: String) -> String {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return "" }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 16384)
        let count = unsafe bytes.withUnsafeMutableBytes { buffer in
            unsafe read(descriptor, buffer.baseAddress, buffer.count)
        }
        return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
    }

    private static func text<Characters>(_ characters: Characters) -> String {
        unsafe withUnsafeBytes(of: characters) { bytes in
            unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
    }
}
