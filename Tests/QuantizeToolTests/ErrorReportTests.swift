import CheckpointIO
@testable import QuantizeTool
import Testing

@Suite struct ErrorReportTests {
    @Test func fieldsOfAnErrorBecomeMembers() {
        let error = CheckpointError(
            .stSizeMismatch,
            "the bytes do not fit the shape",
            file: "model.safetensors",
            tensor: "a",
            offset: 48213,
            expected: "8 bytes",
            found: "4 bytes",
            hint: "download it again"
        )
        let report = ErrorReport(error)
        #expect(report.status == .badData)
        #expect(report.hint == "download it again")
        #expect(
            report.json.text(.dense)
                == #"{"error":{"code":"st.sizeMismatch","message":"the bytes do not fit the shape","#
                + #""file":"model.safetensors","tensor":"a","offset":48213,"#
                + #""expected":"8 bytes","got":"4 bytes","hint":"download it again"}}"#
        )
    }

    @Test func absentFieldsAreLeftOut() {
        let report = ErrorReport(CheckpointError(.fileEmpty, "the file is empty"))
        #expect(
            report.json.text(.dense)
                == #"{"error":{"code":"file.empty","message":"the file is empty"}}"#
        )
    }

    @Test(
        arguments: [
            (.fileMissing, 66), (.stHole, 65), (.ggufUnsupported, 69),
            (.outputExists, 73), (.fileIo, 74), (.outputStopped, 75), (.limitMemory, 75),
            (.outputInterrupted, 130), (.outputInsideInput, 64), (.hostKernel, 69),
            (.indexShardMissing, 66), (.fileChanged, 74), (.pickleRefused, 69),
        ] as [(CheckpointError.Code, Int)]
    )
    func codesHaveTheirStatus(code: CheckpointError.Code, status: Int) {
        #expect(ErrorReport(CheckpointError(code, "")).status.rawValue == Int32(status))
    }

    @Test func unexpectedErrorsAskForAReport() {
        struct Surprise: Error {}
        let report = ErrorReport(unexpected: Surprise())
        #expect(report.status == .internalError)
        #expect(report.hint?.contains("doctor") == true)
    }
}
