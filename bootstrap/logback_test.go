package bootstrap

import (
	"encoding/xml"
	"log/slog"
	"testing"
)

// The configuration quietens five loggers, and nothing else.
//
// Guarantee: The daemon's log shows no record's data and no property's value, and a
// record processor's standard error once.
func TestLogConfiguration(t *testing.T) {
	type logger struct {
		Name  string `xml:"name,attr"`
		Level string `xml:"level,attr"`
	}
	for level, names := range map[slog.Level][2]string{
		slog.LevelDebug: {"DEBUG", "INFO"}, slog.LevelInfo: {"INFO", "INFO"}, slog.LevelWarn: {"WARN", "WARN"}, slog.LevelError: {"ERROR", "ERROR"},
	} {
		var config struct {
			Loggers []logger `xml:"logger"`
			Root    logger   `xml:"root"`
		}
		if err := xml.Unmarshal(logConfigurationFor(level), &config); err != nil {
			t.Fatal(err)
		}
		const pkg = "software.amazon.kinesis"
		want := []logger{
			{pkg, names[0]},
			{pkg + ".multilang.MessageWriter", "WARN"},
			{pkg + ".multilang.LineReaderTask", "WARN"},
			{pkg + ".multilang.MultiLangProtocol", "WARN"},
			{pkg + ".multilang.config.KinesisClientLibConfigurator", "WARN"},
			{pkg + ".multilang.DrainChildSTDERRTask", "OFF"},
		}
		if len(config.Loggers) != len(want) || config.Root.Level != names[1] {
			t.Fatalf("%v: %+v", level, config)
		}
		for i, l := range config.Loggers {
			if l != want[i] {
				t.Errorf("%v: %v, want %v", level, l, want[i])
			}
		}
	}
}
