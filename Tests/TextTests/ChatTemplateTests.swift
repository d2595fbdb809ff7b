import CheckpointIO
import Foundation
import TestSupport
import Testing
import Text

/// Templates in the shape of published ones, beside Jinja2 in transformers' environment.
@Suite struct ChatTemplateTests {
    private static func golden() throws -> JSONObject {
        try JSONObject(parsing: Golden.bytes("chat_templates.json"))
    }

    private static func objects(_ values: [JSONValue]) -> [JSONObject] {
        values.compactMap { if case .object(let object) = $0 { object } else { nil } }
    }

    @Test func refusesEveryBeginningThatEndsInsideABlock() throws {
        let text =
            "{# all #}{%- for m in messages -%}{{ '<' ~ m['role'] }}{% if loop.last %}!{% endif %}{%- endfor %}"
        let end = text.utf8.count - "{%- endfor %}".utf8.count
        try expectErrors([.templateSyntax], atEveryLengthOf: Array(text.utf8)) { length in
            // Plain text before the first block, and up to the loop.
            length <= 1 || 9...10 ~= length
        } _: {
            _ = try ChatTemplate(String(decoding: $0, as: UTF8.self))
        }
        #expect(throws: CheckpointError.self) { try ChatTemplate(String(text.prefix(end))) }
    }

    @Test func conversationsAreWrittenAsByJinja() throws {
        let golden = try Self.golden()
        let conversations = try golden.object("conversations")
        let templates = try Self.objects(golden.array("templates"))
        #expect(templates.count >= 20)
        var count = 0
        for own in templates {
            let name = try own.string("name")
            let template = try ChatTemplate(own.string("template"))
            for sample in try Self.objects(own.array("cases")) {
                let conversation = try sample.string("conversation")
                let variables = try conversations.object(Name(conversation))
                let place = "\(name), \(conversation)"
                count += 1
                guard let expected = try sample.optionalString("text") else {
                    #expect(throws: CheckpointError.self, "\(place)") {
                        _ = try template.render(variables)
                    }
                    continue
                }
                do {
                    let text = try template.render(variables)
                    #expect(
                        text.utf8.elementsEqual(expected.utf8),
                        "\(place): \(text.debugDescription) for \(expected.debugDescription)"
                    )
                } catch {
                    Issue.record("\(place): \(error)")
                }
            }
        }
        #expect(count >= 140)
    }

    @Test func expressionsHaveTheTextsOfPython() throws {
        for own in try Self.objects(Self.golden().array("expressions")) {
            let expression = try own.string("expression")
            let expected = try own.string("text")
            do {
                let text = try ChatTemplate("{{ \(expression) }}").render(JSONObject())
                #expect(
                    text.utf8.elementsEqual(expected.utf8),
                    "\(expression): \(text), \(expected)"
                )
            } catch {
                Issue.record("\(expression): \(error)")
            }
        }
    }

    @Test func faultsHaveAPlace() throws {
        for case .string(let fault) in try Self.golden().array("faults") {
            do throws(CheckpointError) {
                let text = try ChatTemplate("line\n" + fault).render(JSONObject())
                Issue.record("\(fault): \(text)")
            } catch {
                #expect(error.code.rawValue.hasPrefix("template."), "\(fault): \(error)")
                #expect(error.description.contains("(line 2, column "), "\(fault): \(error)")
            }
        }
    }

    @Test func nothingRunsOn() throws {
        for (template, code) in [
            (
                "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}",
                CheckpointError.Code.templateLimit
            ),
            ("{% for a in range(200) %}{{ 'x' * 9999999 }}{% endfor %}", .templateLimit),
            ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", .templateLimit),
            (String(repeating: "(", count: 2000) + "1", .templateSyntax),
            (
                "{{ " + String(repeating: "(", count: 2000) + "1"
                    + String(repeating: ")", count: 2000) + " }}",
                .templateLimit
            ),
            (String(repeating: "{% if 1 %}", count: 2000), .templateLimit),
            ("{{ 9223372036854775807 + 1 }}", .templateFailed),
        ] {
            do throws(CheckpointError) {
                let text = try ChatTemplate(template).render(JSONObject())
                #expect(code == .templateSyntax, "\(template.prefix(40)): \(text.prefix(40))")
            } catch {
                #expect(error.code == code, "\(template.prefix(40)): \(error)")
            }
        }
    }

    @Test func datesAreThoseOfTheClock() throws {
        let template = try ChatTemplate("{{ strftime_now('%Y') }}")
        #expect(try template.render(JSONObject(), now: 1_000_000_000) == "2001")
    }
}
