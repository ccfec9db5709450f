use data::{RecordFault, Stage, Value};

/// The class that Connect would blame for what a format cannot hold.
const TASK: &str = "io.aiven.kafka.connect.s3.S3SinkTask";

pub(crate) fn put_fault(exception: &'static str, message: impl Into<String>) -> RecordFault {
    RecordFault { stage: Stage::TaskPut, class: TASK, exception, message: message.into(), cause: None }
}

pub(crate) fn data_fault(message: impl Into<String>) -> RecordFault {
    put_fault("org.apache.kafka.connect.errors.DataException", message)
}

pub(crate) fn null_pointer(message: &str) -> RecordFault {
    put_fault("java.lang.NullPointerException", message)
}

/// The class of a value's Java counterpart.
pub(crate) fn java_class(value: &Value<'_>) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Boolean(_) => "class java.lang.Boolean",
        Value::Int8(_) => "class java.lang.Byte",
        Value::Int16(_) => "class java.lang.Short",
        Value::Int32(_) => "class java.lang.Integer",
        Value::Int64(_) => "class java.lang.Long",
        Value::Float32(_) => "class java.lang.Float",
        Value::Float64(_) => "class java.lang.Double",
        Value::String(_) => "class java.lang.String",
        Value::Bytes(_) => "class [B",
        Value::Array(_) => "class java.util.ArrayList",
        Value::Map(_) => "class java.util.HashMap",
        Value::Struct(_) => "class org.apache.kafka.connect.data.Struct",
    }
}
