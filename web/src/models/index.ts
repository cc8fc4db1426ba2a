// Models as bytes: names, downloads that go on, what is kept of them. Everything but askToPersist() is for a dedicated
// worker, or Node.
export { formatBytes } from './bytes.js';
export type { MakeRoom, MakeRoomRequest, StoredModel, Usage } from './catalogue.js';
export type { Candidate, Fit, Fits } from './choice.js';
export { ModelError, type ErrorCode } from './error.js';
export type { Patience } from './http.js';
export { typeInName } from './listing.js';
export type { LocalFile, PickedFile, NamedFile } from './local_model.js';
export { openModels, type Models, type ModelSource, type ModelsOptions, type OpenOptions } from './models.js';
export { canonicalName, parseModelName, type AddressName, type ModelName, type RepositoryName } from './name.js';
export type { Completed, ModelFile, OpenedModel, Range } from './opened.js';
export { askToPersist } from './persist.js';
export type { ModelProgress } from './progress.js';
export type { Store, StoreKind } from './store.js';
export { openTexts, type TextStore } from './texts.js';
