package bootstrap

import (
	"fmt"
	"log/slog"
)

// logConfiguration is the default logback.xml of the daemon: one line for each event, even if
// its text has several.
//
// Four loggers are quieter than the rest: MessageWriter, LineReaderTask and MultiLangProtocol
// log several lines for each message (which costs more than half of the throughput of small
// batches, and one of them would show a record's data), and KinesisClientLibConfigurator logs
// the value of each property, which may be a secret. DrainChildSTDERRTask is off: it copies
// each line of a record processor's standard error to the daemon's, and logs it too.
const logConfiguration = `<?xml version="1.0" encoding="UTF-8"?>
<configuration>
  <appender name="OUT" class="ch.qos.logback.core.ConsoleAppender">
    <target>System.out</target>
    <encoder>
      <charset>UTF-8</charset>
      <pattern>%%d{yyyy-MM-dd'T'HH:mm:ss.SSSXXX} %%-5level %%logger{0} - %%replace(%%replace(%%msg%%n%%rEx){'\s+$', ''}){'\s*[\r\n]+\s*', ' | '}%%nopex%%n</pattern>
    </encoder>
  </appender>
  <logger name="software.amazon.kinesis" level="%s"/>
  <logger name="software.amazon.kinesis.multilang.MessageWriter" level="WARN"/>
  <logger name="software.amazon.kinesis.multilang.LineReaderTask" level="WARN"/>
  <logger name="software.amazon.kinesis.multilang.MultiLangProtocol" level="WARN"/>
  <logger name="software.amazon.kinesis.multilang.config.KinesisClientLibConfigurator" level="WARN"/>
  <logger name="software.amazon.kinesis.multilang.DrainChildSTDERRTask" level="OFF"/>
  <root level="%s">
    <appender-ref ref="OUT"/>
  </root>
</configuration>
`

// logConfigurationFor returns logConfiguration for a level. DEBUG applies only to KCL: at
// DEBUG the HTTP client would log credentials.
func logConfigurationFor(level slog.Level) []byte {
	kcl, root := "ERROR", "ERROR"
	switch {
	case level < slog.LevelInfo:
		kcl, root = "DEBUG", "INFO"
	case level < slog.LevelWarn:
		kcl, root = "INFO", "INFO"
	case level < slog.LevelError:
		kcl, root = "WARN", "WARN"
	}
	return fmt.Appendf(nil, logConfiguration, kcl, root)
}
