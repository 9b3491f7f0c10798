package bootstrap

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// className matches the name of a Java class. Anything else may be a secret in the wrong
// place.
var className = regexp.MustCompile(`^[A-Za-z_$][A-Za-z0-9_$]*(\.[A-Za-z_$][A-Za-z0-9_$]*)*$`)

// sdk1 is the prefix of the providers of the AWS SDK for Java 1. They do not have the type
// that this daemon needs, whatever is on its class path.
const sdk1 = "com.amazonaws.auth."

// providers checks the credentials providers. The daemon ignores each class that it does not
// find, and fails if none is left.
func (c *checker) providers() {
	seen := make(map[string]string) // the spelling of each
	for _, name := range c.inOrder {
		key, ok := c.keys.lookup(name)
		if !ok || key.typ.name != "providers" {
			continue
		}
		normal := normalName(name)
		if other, ok := seen[normal]; ok {
			c.error(name, "the daemon reads it and "+other+" as one property, and refuses to set that twice", "remove one")
		}
		seen[normal] = name
		elements := strings.FieldsFunc(c.value(name), func(r rune) bool { return r == ',' })
		elements = slices.DeleteFunc(elements, func(e string) bool { return javaTrim(e) == "" })
		for _, element := range elements {
			c.provider(name, javaTrim(element), len(elements) == 1)
		}
		if empty := len(elements) == 0; empty && (c.has(name) || normal != credentialsPrefix) {
			c.error(name, "it names no class", "DefaultCredentialsProvider is the usual one")
		}
	}
	for _, prefix := range []string{"kinesis", "dynamoDB", "cloudWatch"} {
		c.providerBean(prefix+"CredentialsProvider.", seen)
	}
}

// provider checks one element of a list, CLASS|ARGUMENT|...; alone says that it is the only
// one.
func (c *checker) provider(name, element string, alone bool) {
	class, arguments, _ := strings.Cut(element, "|")
	takes, known := c.keys.providers[class]
	if known && alone {
		c.profileOf(name, class, arguments)
	}
	switch n := numberOfArguments(arguments); {
	case known && n < takes.least:
		c.error(name, fmt.Sprintf("%s takes at least %d arguments, not %d", class, takes.least, n), "write them after it, each after a |")
	case known && takes.most >= 0 && n > takes.most:
		c.error(name, fmt.Sprintf("%s takes at most %d arguments, and with %d the daemon creates it without any", class, takes.most, n), "remove the others")
	case known:
	case !className.MatchString(class):
		c.error(name, "it is not the name of a class", "DefaultCredentialsProvider is the usual one")
	case strings.HasPrefix(class, sdk1):
		c.error(name, class+" belongs to the AWS SDK for Java 1, which this daemon does not use", c.meantProvider(class))
	case strings.Contains(class, "."):
		c.warn(name, class+" is not among the daemon's classes", "its jar must be added to the class path")
	default:
		c.error(name, "the daemon has no class "+class, c.meantProvider(class))
	}
}

// numberOfArguments counts arguments as Java's split does, which drops empty ones at the end.
func numberOfArguments(text string) int {
	text = strings.TrimRight(text, "|")
	if text == "" {
		return 0
	}
	return strings.Count(text, "|") + 1
}

// meantProvider suggests a class for one that does not exist. Those of the AWS SDK for Java 1
// often had AWS and Chain in their names.
func (c *checker) meantProvider(class string) string {
	short := class[strings.LastIndexByte(class, '.')+1:]
	short = strings.TrimSuffix(strings.Replace(short, "AWS", "", 1), "Chain")
	if meant := nearest(short, maps.Keys(c.keys.providers)); meant != "" {
		return "did you mean " + meant + "?"
	}
	return "DefaultCredentialsProvider is the usual one"
}

// providerBean checks the properties of a provider that its builder creates.
func (c *checker) providerBean(prefix string, seen map[string]string) {
	plain := credentialsPrefix + map[string]string{
		"dynamoDBCredentialsProvider.": "DynamoDB", "cloudWatchCredentialsProvider.": "CloudWatch",
	}[prefix]
	for _, name := range c.inOrder {
		if !strings.HasPrefix(name, prefix) {
			continue
		}
		if other, ok := seen[plain]; ok {
			c.error(name, "the daemon takes only one of this and "+other, "remove one")
		} else if !c.has(prefix + "class") {
			c.error(name, "the daemon refuses it without "+prefix+"class", "set that to the class of the provider")
		} else if name != prefix+"class" {
			c.warn(name, "Java's hash table may give it to the daemon before "+prefix+"class, and it then fails",
				"name the provider in AwsCredentialsProvider, with its arguments each after a |, such as ProfileCredentialsProvider|NAME")
		}
	}
}
