package wire

import (
	"maps"
	"slices"
)

func (in *increaseStreamRetentionPeriodInput) check(c *constraints) {
	c.stream(in.streamRef)
	c.required("retentionPeriodHours", in.RetentionPeriodHours != nil)
}

func increaseStreamRetentionPeriod(c *call, in *increaseStreamRetentionPeriodInput) (*none, error) {
	name, err := in.resolve()
	if err != nil {
		return nil, err
	}
	return &none{}, c.service.IncreaseRetention(name, int(*in.RetentionPeriodHours))
}

func (in *decreaseStreamRetentionPeriodInput) check(c *constraints) {
	c.stream(in.streamRef)
	c.required("retentionPeriodHours", in.RetentionPeriodHours != nil)
}

func decreaseStreamRetentionPeriod(c *call, in *decreaseStreamRetentionPeriodInput) (*none, error) {
	name, err := in.resolve()
	if err != nil {
		return nil, err
	}
	return &none{}, c.service.DecreaseRetention(name, int(*in.RetentionPeriodHours))
}

func (in *updateStreamModeInput) check(c *constraints) {
	c.requiredStreamARN(in.StreamARN)
	c.required("streamModeDetails", in.StreamModeDetails != nil)
	c.mode(in.StreamModeDetails)
	c.within("warmThroughputMiBps", in.WarmThroughputMiBps, 0, 1<<31-1)
}

func updateStreamMode(c *call, in *updateStreamModeInput) (*none, error) {
	name, err := streamRef{StreamARN: in.StreamARN}.resolve()
	if err != nil {
		return nil, err
	}
	return &none{}, c.service.SetOnDemand(name, *in.StreamModeDetails.StreamMode == modeOnDemand)
}

func (in *updateMaxRecordSizeInput) check(c *constraints) {
	c.stream(streamRef{StreamARN: in.StreamARN})
	c.required("maxRecordSizeInKiB", in.MaxRecordSizeInKiB != nil)
	c.recordSize(in.MaxRecordSizeInKiB)
}

func updateMaxRecordSize(c *call, in *updateMaxRecordSizeInput) (*none, error) {
	name, err := streamRef{StreamARN: in.StreamARN}.resolve()
	if err != nil {
		return nil, err
	}
	return &none{}, c.service.SetMaxRecordBytes(name, int(*in.MaxRecordSizeInKiB)<<10)
}

func (in *startStreamEncryptionInput) check(c *constraints) {
	c.stream(in.streamRef)
	c.encryption(in.EncryptionType, in.KeyId)
}

func startStreamEncryption(c *call, in *startStreamEncryptionInput) (*none, error) {
	name, err := in.resolve()
	if err != nil {
		return nil, err
	}
	if *in.EncryptionType != encryptionKMS {
		return nil, &failure{invalidArgument, "EncryptionType must be KMS."}
	}
	return &none{}, c.service.SetEncryption(name, *in.KeyId)
}

func (in *stopStreamEncryptionInput) check(c *constraints) {
	c.stream(in.streamRef)
	c.encryption(in.EncryptionType, in.KeyId)
}

func stopStreamEncryption(c *call, in *stopStreamEncryptionInput) (*none, error) {
	name, err := in.resolve()
	if err != nil {
		return nil, err
	}
	if *in.EncryptionType != encryptionKMS {
		return nil, &failure{invalidArgument, "EncryptionType must be KMS."}
	}
	return &none{}, c.service.SetEncryption(name, "")
}

func (c *constraints) encryption(kind, key *string) {
	c.required("encryptionType", kind != nil)
	oneOf(c, "encryptionType", kind, []string{encryptionNone, encryptionKMS})
	c.required("keyId", key != nil)
	if key != nil {
		c.length("keyId", *key, 1, 2048)
	}
}

func (in *addTagsToStreamInput) check(c *constraints) {
	c.stream(in.streamRef)
	c.tags(in.Tags)
}

func addTagsToStream(c *call, in *addTagsToStreamInput) (*none, error) {
	name, err := in.resolve()
	if err != nil {
		return nil, err
	}
	return &none{}, c.service.AddTags(name, "", in.Tags)
}

func (in *removeTagsFromStreamInput) check(c *constraints) {
	c.stream(in.streamRef)
	c.tagKeys(in.TagKeys)
}

func removeTagsFromStream(c *call, in *removeTagsFromStreamInput) (*none, error) {
	name, err := in.resolve()
	if err != nil {
		return nil, err
	}
	return &none{}, c.service.RemoveTags(name, "", in.TagKeys)
}

func (in *listTagsForStreamInput) check(c *constraints) {
	c.stream(in.streamRef)
	c.within("limit", in.Limit, 1, 50)
	if in.ExclusiveStartTagKey != nil {
		c.length("exclusiveStartTagKey", *in.ExclusiveStartTagKey, 1, 128)
	}
}

func listTagsForStream(c *call, in *listTagsForStreamInput) (*listTagsForStreamOutput, error) {
	name, err := in.resolve()
	if err != nil {
		return nil, err
	}
	tags, err := c.service.Tags(name, "")
	if err != nil {
		return nil, err
	}
	after := value(in.ExclusiveStartTagKey, "")
	maps.DeleteFunc(tags, func(key, _ string) bool { return key <= after })
	list := tagShapes(tags)
	limit := int(value(in.Limit, 50))
	more := len(list) > limit
	return &listTagsForStreamOutput{Tags: list[:min(limit, len(list))], HasMoreTags: &more}, nil
}

func (in *tagResourceInput) check(c *constraints) {
	c.resourceARN(in.ResourceARN)
	c.tags(in.Tags)
}

func tagResource(c *call, in *tagResourceInput) (*none, error) {
	stream, consumer := resource(*in.ResourceARN)
	return &none{}, c.service.AddTags(stream, consumer, in.Tags)
}

func (in *untagResourceInput) check(c *constraints) {
	c.resourceARN(in.ResourceARN)
	c.tagKeys(in.TagKeys)
}

func untagResource(c *call, in *untagResourceInput) (*none, error) {
	stream, consumer := resource(*in.ResourceARN)
	return &none{}, c.service.RemoveTags(stream, consumer, in.TagKeys)
}

func (in *listTagsForResourceInput) check(c *constraints) { c.resourceARN(in.ResourceARN) }

func listTagsForResource(c *call, in *listTagsForResourceInput) (*listTagsForResourceOutput, error) {
	stream, consumer := resource(*in.ResourceARN)
	tags, err := c.service.Tags(stream, consumer)
	if err != nil {
		return nil, err
	}
	return &listTagsForResourceOutput{Tags: tagShapes(tags)}, nil
}

// resource returns the name of the stream and, when the ARN is a consumer's,
// that ARN.
func resource(arn string) (stream, consumerARN string) {
	if m := plainStreamPattern.FindStringSubmatch(arn); m != nil {
		return m[1], ""
	}
	return consumerARNPattern.FindStringSubmatch(arn)[1], arn
}

// tagShapes returns the tags in order of their keys.
func tagShapes(tags map[string]string) []tag {
	list := []tag{}
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		list = append(list, tag{Key: &key, Value: ptr(tags[key])})
	}
	return list
}
