import Testing

@testable import SIMDKernels

@Suite struct KernelSelectionTests {
    private func resolve(_ environment: [String: String]) throws(KernelSelectionError) -> String? {
        try KernelSelection.resolve { environment[$0] }
    }

    @Test func forcesNothingWithoutAVariable() throws {
        #expect(try resolve([:]) == nil)
        #expect(try resolve(["QUANT_KERNEL": ""]) == nil)
        #expect(KernelSelection.supportedNames.last == "generic")
    }

    @Test(arguments: KernelSelection.supportedNames)
    func forcesEverySupportedName(name: String) throws {
        #expect(try resolve(["QUANT_KERNEL": name]) == name)
        #expect(try resolve(["QUANTIZE_CPU": name]) == name)
        #expect(try resolve(["QUANT_KERNEL": name, "QUANTIZE_CPU": "nonsense"]) == name)
    }

    @Test func takesScalarForGeneric() throws {
        #expect(try resolve(["QUANTIZE_CPU": "scalar"]) == "generic")
        #expect(try resolve(["QUANT_KERNEL": "scalar"]) == "generic")
    }

    @Test(arguments: ["QUANT_KERNEL", "QUANTIZE_CPU"], ["sse9", "AVX2", "neon,avx2", " generic"])
    func refusesWhatTheHostCannotRun(variable: String, name: String) {
        let error = #expect(throws: KernelSelectionError.self) { try resolve([variable: name]) }
        #expect(error?.variable == variable)
        #expect(error?.requested == name)
        #expect(error?.supported == KernelSelection.supportedNames)
        #expect(error?.description.contains("\(variable)=\(name)") == true)
        for supported in KernelSelection.supportedNames {
            #expect(error?.description.contains(supported) == true)
        }
    }

    #if arch(x86_64)
    @Test func refusesNEONOnX86() {
        #expect(throws: KernelSelectionError.self) { try resolve(["QUANT_KERNEL": "neon"]) }
    }
    #endif

    @Test func everyFamilyHasAVariantForEverySupportedName() {
        check(Quantize4BitKernel.self)
        check(Dequantize4BitKernel.self)
        check(QuantizeInt8RowsKernel.self)
        check(DequantizeInt8RowsKernel.self)
        check(Quantize8BitKernel.self)
        check(Dequantize8BitKernel.self)
        check(ScaleSearch4BitKernel.self)
        check(ErrorSumsKernel.self)
        check(ConvertFloatKernel.self)
    }

    private func check<Family: Kernel>(_ family: Family.Type) {
        for name in KernelSelection.supportedNames {
            #expect(family.fastest(of: name)?.variant.instructionSet == name, "\(family) \(name)")
        }
        #expect(family.compiled.last?.name == "generic")
        #expect(family.compiled.last?.variant.requiredFeatures == [])
        #expect(Set(family.compiled.map(\.name)).count == family.compiled.count)
        #expect(family.fastest(of: "sse9") == nil)
        #expect(family.named("sse9") == nil)
        for kernel in family.supported { #expect(family.named(kernel.name)?.name == kernel.name) }
    }

    @Test func stopsTheProcessThatForcesAnImpossibleName() async throws {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent])
        {
            setKernelVariable("sse9")
            _ = Quantize4BitKernel.selected
        }
        let text = String(decoding: try #require(result).standardErrorContent, as: UTF8.self)
        #expect(text.contains("QUANT_KERNEL=sse9"))
        #expect(
            text.contains(
                "supported here: \(KernelSelection.supportedNames.joined(separator: ", "))"
            )
        )
    }

    @Test(arguments: KernelSelection.supportedNames)
    func usesTheForcedVariantInEveryFamily(name: String) async {
        await #expect(processExitsWith: .success) { [name] in
            setKernelVariable(name)
            precondition(KernelSelection.name == name)
            let selected: [any Kernel] = [
                Quantize4BitKernel.selected, Dequantize4BitKernel.selected,
                QuantizeInt8RowsKernel.selected, DequantizeInt8RowsKernel.selected,
                Quantize8BitKernel.selected, Dequantize8BitKernel.selected,
                ScaleSearch4BitKernel.selected, ErrorSumsKernel.selected,
                ConvertFloatKernel.selected,
            ]
            for kernel in selected {
                precondition(kernel.variant.instructionSet == name, "\(type(of: kernel))")
            }
        }
    }
}

@Suite struct HostFeaturesTests {
    @Test func namesItsFeatures() {
        #expect(HostFeatures([.avx2, .avx512VNNI]).description == "avx2 avx512-vnni")
        #expect(HostFeatures().description == "none")
    }

    @Test func neverHasAnExtensionWithoutItsBase() {
        let host = HostFeatures.host
        let extensions: HostFeatures = [.avx512VBMI, .avx512VNNI, .avx512BF16]
        #expect(host.isDisjoint(with: extensions) || host.contains(.avx512))
        #expect(!host.contains(.avx512) || host.contains(.avx2))
    }
}

/// A family whose fastest variant is not the one named after its set, nor the widest.
private struct MeasuredKernel: Kernel {
    let variant: KernelVariant

    private init(_ name: String, _ set: String, _ features: HostFeatures) {
        variant = KernelVariant(
            name: name,
            instructionSet: set,
            requiredFeatures: features,
            isExact: true
        )
    }

    static let compiled = [
        MeasuredKernel("unavailable", "avx512", HostFeatures(rawValue: 1 << 31)),
        MeasuredKernel("narrow_but_fast", "avx2", []),
        MeasuredKernel("avx512_vnni", "avx512", []),
        MeasuredKernel("avx512", "avx512", []),
        MeasuredKernel("generic", "generic", []),
    ]
    static let selected = preferred(forced: nil)
}

@Suite struct PreferredKernelTests {
    @Test func isTheFastestSupportedWhateverItsWidth() {
        #expect(MeasuredKernel.selected.name == "narrow_but_fast")
    }

    @Test func isTheFastestOfAForcedSetNotTheOneNamedAfterIt() {
        #expect(MeasuredKernel.preferred(forced: "avx512").name == "avx512_vnni")
        #expect(MeasuredKernel.preferred(forced: "generic").name == "generic")
        #expect(MeasuredKernel.named("avx512")?.name == "avx512")
        #expect(MeasuredKernel.named("unavailable") == nil)
    }
}
