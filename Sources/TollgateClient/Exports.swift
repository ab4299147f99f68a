@_exported import TollgateSchema
